//! Segments that are computed by other machines.
//!
//! A server keeps each [`open_task`] on a [`board`], the [`dispatcher`] of its pool, and offers them by notices in a [`queue`]. A
//! [`worker`] takes a notice, [`calls`](owner) the [`service`] of the owner for the input, computes it in a pool of its own, and
//! delivers the stems, or the [`failure`], the same way, which [`worker_counts`] count. It has a [`lane`] for each segment that it
//! computes at a time, and leaves tasks of [`away_owners`] to others. Of [`ensembles`],
//! the segments of members are tasks. A [`key`] names a task; [`samples`] are the audio as bytes.
//!
//! The queue is a [`stream`] of JetStream: owners keep their [`offers`] in it, and workers [`pull`]. An [`announcement`] of each
//! worker is in a bucket as long as it is [present](presence), from which owners learn of the [`known_workers`].

mod announcement;
mod away_owners;
mod board;
mod dispatcher;
mod ensembles;
mod failure;
mod key;
mod known_workers;
mod lane;
mod offers;
mod open_task;
mod owner;
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
pub use key::{TaskExecution, TaskKey};
pub use known_workers::KnownWorkers;
pub use lane::Lane;
pub use offers::JetStreamQueue;
pub use open_task::{ExpectedStems, FetchedTask, TaskCounts, TaskRefusal};
pub use presence::{Presence, watch_workers};
pub use pull::pull_tasks;
pub use queue::{QueuedTask, TaskNotice, TaskQueue};
pub use queue_status::QueueStatus;
pub use service::OfferedTasks;
pub use worker::{ClusterWorker, TaskEnd};
pub use worker_counts::WorkerStatus;
