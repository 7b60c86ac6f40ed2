//! The machines that compute for this one.

use std::time::Duration;

use crate::engine::EngineIdentity;
use crate::engine::fallback::circuit_breaker::{CircuitState, EngineHealth};
use crate::model::{ModelName, Sha256Hash};

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

    /// How many of them lack models.
    pub fn lacking(&self) -> usize {
        self.workers.iter().filter(|worker| !worker.missing.is_empty()).count()
    }

    /// The engines whose circuit is open, with their workers.
    pub fn failed(&self) -> impl Iterator<Item = (&RemoteWorker, &WorkerFault)> {
        let faults = self.workers.iter().flat_map(|one| one.faults.iter().map(move |of| (one, of)));
        faults.filter(|(_, fault)| !fault.is_closed())
    }

    /// Segments of a model with these weights that they compute at a time. Workers that fail on it count if there are no others.
    pub fn lanes_of(&self, weights: Sha256Hash) -> usize {
        let lanes = |is_counted: &dyn Fn(&RemoteWorker, &EngineIdentity) -> bool| -> usize {
            let has = |worker: &&RemoteWorker| {
                let mut engines = worker.engines.iter().filter(|engine| engine.weights == weights);
                engines.any(|engine| is_counted(worker, engine))
            };
            self.workers.iter().filter(has).map(|worker| worker.lanes).sum()
        };
        match lanes(&|worker, engine| worker.works(&engine.model)) {
            0 => lanes(&|_, _| true),
            some => some,
        }
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
    /// Those of them that have failed since their last success.
    pub faults: Vec<WorkerFault>,
    /// Models that servers have for it to fetch, and that it lacks.
    pub missing: Vec<ModelName>,
}

impl RemoteWorker {
    /// Whether the circuit of its engine of a model is closed.
    pub fn works(&self, model: &ModelName) -> bool {
        self.faults.iter().all(|fault| fault.model != *model || fault.is_closed())
    }
}

/// An engine of a worker that has failed since its last success.
#[derive(Debug, Clone)]
pub struct WorkerFault {
    /// The model's name at the worker.
    pub model: ModelName,
    /// Its failures at this worker.
    pub health: EngineHealth,
}

impl WorkerFault {
    /// Whether the worker gets segments of the model all the same. While the circuit is open, others do if there are any.
    pub fn is_closed(&self) -> bool {
        self.health.circuit == CircuitState::Closed
    }
}
