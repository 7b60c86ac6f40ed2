//! Segments that are computed by other machines.
//!
//! A server keeps each [`open_task`] on a [`board`], the dispatcher of its pool, and offers them by notices in a [`queue`]. A
//! [`worker`] takes a notice, [`calls`](owner) the [`service`] of the owner for the input, computes it in a pool of its own, and
//! delivers the stems, or the [`failure`], the same way. A [`key`] names a task; [`samples`] are the audio as bytes.
//!
//! The queue is a [`stream`] of JetStream: owners keep their [`offers`] in it, and workers [`pull`].

mod board;
mod failure;
mod key;
mod offers;
mod open_task;
mod owner;
mod pull;
mod queue;
mod samples;
mod service;
mod stream;
mod worker;

pub use board::{BoardDispatcher, ExecutionOf, TaskBoard};
pub use key::{TaskExecution, TaskKey};
pub use offers::{JetStreamQueue, QueueStatus};
pub use open_task::{ExpectedStems, FetchedTask, TaskCounts, TaskRefusal};
pub use pull::pull_tasks;
pub use queue::{QueuedTask, TaskNotice, TaskQueue};
pub use service::OfferedTasks;
pub use worker::{ClusterWorker, TaskEnd};
