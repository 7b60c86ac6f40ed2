//! The machines that compute for this one.

use std::time::Duration;

use crate::engine::EngineIdentity;
use crate::model::Sha256Hash;

/// The machines that compute for this one.
#[derive(Debug, Clone, Default)]
pub struct ClusterState {
    /// The machines, by name.
    pub workers: Vec<RemoteWorker>,
    /// Tasks of all servers in the queue, those that are being computed included.
    pub queued: u64,
    /// Tasks of this server that wait for room in the queue.
    pub waiting: usize,
    /// The age of the oldest task of this server without an answer.
    pub oldest: Duration,
    /// What has happened to the tasks of this server.
    pub totals: TaskTotals,
}

/// What has happened to tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskTotals {
    /// Tasks that a machine has taken for the first time.
    pub taken: u64,
    /// The time from their submission to that, of all together.
    pub waited: Duration,
    /// Tasks that were taken again, because the one before was lost or slow.
    pub retaken: u64,
    /// Tasks that the queue had lost.
    pub requeued: u64,
}

impl ClusterState {
    /// Segments that all machines compute at a time.
    pub fn lanes(&self) -> usize {
        self.workers.iter().map(|worker| worker.lanes).sum()
    }

    /// Segments of a model with these weights that they compute at a time.
    pub fn lanes_of(&self, weights: Sha256Hash) -> usize {
        let has =
            |worker: &&RemoteWorker| worker.engines.iter().any(|engine| engine.weights == weights);
        self.workers.iter().filter(has).map(|worker| worker.lanes).sum()
    }
}

/// Another machine that computes.
#[derive(Debug, Clone)]
pub struct RemoteWorker {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// Segments that it computes at a time.
    pub lanes: usize,
    /// Its engines, one for each model.
    pub engines: Vec<EngineIdentity>,
}
