//! Segments that are computed by other machines. No gateway chooses a worker: those that have the engine of a task take it.
//!
//! At the gateway that owns a task, an [`open_task`] is on a [`board`], the [`dispatcher`] of its pool, until it has an answer. A
//! notice of it is in a [`queue`], the [`jetstream_queue`], of which the [`queue_status`] is known. By the [`service`], workers
//! fetch its input and deliver its stems, or the [`failure`]. [`known_workers`] has which engines there are. Of [`ensembles`],
//! the segments of members are tasks.
//!
//! A [`worker`] has a [`lane`] for each segment that it computes at a time, and a pool of its own. It [pulls](pull) notices, calls
//! the service ([`owner_calls`]), leaves tasks of [`away_owners`] to others, and has [`worker_counts`]. Its [`announcement`] is in a
//! bucket as long as it is [present](presence).
//!
//! A [`key`] names a task; [`samples`] are the audio as bytes; the [`stream`] of JetStream has the notices.

mod announcement;
mod away_owners;
mod board;
mod dispatcher;
mod ensembles;
mod failure;
mod jetstream_queue;
mod key;
mod known_workers;
mod lane;
mod open_task;
mod owner_calls;
mod presence;
mod pull;
mod queue;
mod queue_status;
mod samples;
mod service;
mod stream;
mod worker;
mod worker_counts;

pub use announcement::{AnnouncedEngine, WorkerAnnouncement};
pub use board::TaskBoard;
pub use dispatcher::BoardDispatcher;
pub use jetstream_queue::JetStreamQueue;
pub use key::{TaskExecution, TaskKey};
pub use known_workers::KnownWorkers;
pub use lane::Lane;
pub use open_task::{ExpectedStems, FetchedTask, TaskCounts, TaskRefusal};
pub use presence::{Presence, watch_workers};
pub use pull::pull_tasks;
pub use queue::{QueuedTask, TaskNotice, TaskQueue};
pub use queue_status::QueueStatus;
pub use service::OfferedTasks;
pub use worker::{ClusterWorker, TaskEnd};
pub use worker_counts::WorkerStatus;
