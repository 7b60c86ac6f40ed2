//! A worker: computes the tasks of other machines on the worker threads of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::field::Empty;

use super::away_owners::{AwayOwners, OwnerAccess};
use super::key::TaskExecution;
use super::lane::Lane;
use super::owner_calls::{FetchAnswer, OwnerCalls, OwnerError, shared};
use super::queue::TaskNotice;
use super::worker_counts::{WorkerCounts, WorkerStatus};
use crate::cluster::ClusterSecret;
use crate::engine::pool::{OwnerId, Pool, Task};
use crate::engine::{EngineError, EngineIdentity};
use crate::model::{Model, ModelName};
use crate::trace;

/// The owner of all tasks in the pool of a worker: their owners share the worker fairly.
const WORKER: OwnerId = 1;

/// Pauses between attempts to deliver what has been computed.
const DELIVERY_PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// What computes tasks.
pub struct ClusterWorker {
    pool: Pool,
    models: Vec<Arc<Model>>,
    calls: OwnerCalls,
    away: AwayOwners,
    counts: WorkerCounts,
}

/// How a task ended at a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// Its owner has the answer.
    Answered,
    /// It needs no answer any more.
    NotWanted(String),
    /// Another worker is to compute it: this one stops, or lacks the model.
    Returned,
    /// Another worker is to compute it, as this one has failed on it; and all of its model for this time, if it is not zero.
    PassedOver(Duration),
    /// Its owner cannot be reached, or refuses this worker.
    OwnerAway(String),
}

impl ClusterWorker {
    /// The worker `name`, which computes with `models` in `pool`.
    pub fn new(
        name: String,
        pool: Pool,
        models: Vec<Arc<Model>>,
        secret: Option<&ClusterSecret>,
    ) -> ClusterWorker {
        let calls = OwnerCalls::new(name, pool.lanes(), secret);
        let (away, counts) = (AwayOwners::default(), WorkerCounts::default());
        ClusterWorker { pool, models, calls, away, counts }
    }

    /// Segments that it computes at a time.
    pub fn lanes(&self) -> usize {
        self.pool.lanes()
    }

    /// What it computes, and has computed.
    pub fn status(&self) -> WorkerStatus {
        self.counts.status(self.lanes())
    }

    /// Its engines.
    pub fn engines(&self) -> Vec<EngineIdentity> {
        self.models.iter().flat_map(|model| self.pool.engines(model)).collect()
    }

    /// What it computes.
    pub fn executions(&self) -> Vec<(ModelName, TaskExecution)> {
        let engines = self.engines().into_iter();
        engines.map(|engine| (engine.model.clone(), TaskExecution::of(&engine))).collect()
    }

    /// The model of a task: that with its weights, and with its name if several have them.
    fn model_of(&self, notice: &TaskNotice) -> Option<&Arc<Model>> {
        let has_weights = |model: &&Arc<Model>| model.card().weights_hash() == notice.weights;
        let has_name = |model: &&Arc<Model>| model.card().name.as_str() == notice.model;
        let mut models = self.models.iter().filter(has_weights);
        models.clone().find(has_name).or_else(|| models.next())
    }

    /// Whether a task of this owner is to be taken now.
    pub(super) fn access(&self, owner: &str) -> OwnerAccess {
        self.away.access(owner)
    }

    /// Computes a task in a lane and delivers its stems. Ends within the time limits of engines and calls.
    pub async fn compute(&self, notice: &TaskNotice, lane: Lane) -> TaskEnd {
        let counted = self.counts.begin();
        let end = self.compute_counted(notice, lane).await;
        drop(counted);
        if let TaskEnd::OwnerAway(_) = end {
            self.counts.unreachable();
        }
        end
    }

    async fn compute_counted(&self, notice: &TaskNotice, mut lane: Lane) -> TaskEnd {
        let Some(model) = self.model_of(notice) else { return TaskEnd::Returned };
        // It begins here, and learns from the owner what it is a part of.
        let span = tracing::info_span!(
            target: trace::TARGET,
            parent: None,
            "compute",
            otel.kind = "consumer",
            otel.status_code = Empty,
            otel.status_description = Empty,
            segment = notice.key.segment,
            model = notice.model,
            server.address = notice.owner,
        );
        let task = match self.calls.fetch(notice, model.card().segment.as_len()).await {
            Ok(FetchAnswer::Task(task)) => task,
            Ok(FetchAnswer::PassedOver(pause)) => {
                self.away.reached(&notice.owner);
                return TaskEnd::PassedOver(pause);
            }
            Err(OwnerError::NotWanted(text)) => return TaskEnd::NotWanted(text),
            Err(OwnerError::Away(text)) => {
                self.away.missed(&notice.owner);
                return TaskEnd::OwnerAway(text);
            }
        };
        self.away.reached(&notice.owner);
        lane.take().await;
        task.trace.adopt(&span);
        let (sender, receiver) = oneshot::channel();
        let cancelled = Cancelled::default();
        let task = Task {
            model: Arc::clone(model),
            segment: notice.key.segment,
            mix: task.mix,
            options: task.options,
            isolated: task.isolated,
            engine: None,
            cancelled: Arc::clone(&cancelled.0),
            on_start: Box::new(|| {}),
            // The receiver is gone if the task is not waited for any more.
            on_done: Box::new(move |result| drop(sender.send(result))),
        };
        self.pool.submit(WORKER, task);
        let result = shared(receiver.await.unwrap_or(Err(EngineError::ShuttingDown)));
        match &result {
            Ok((_, taken)) => self.counts.computed(model.card().name.as_str(), *taken),
            Err(EngineError::ShuttingDown | EngineError::Cancelled) => {}
            Err(error) => {
                span.record("otel.status_code", "ERROR");
                span.record("otel.status_description", error.to_string());
                self.counts.failed();
            }
        }
        let mut pauses = DELIVERY_PAUSES.into_iter();
        loop {
            let text = match self.calls.deliver(notice, &result).await {
                Ok(true) => return TaskEnd::Answered,
                Ok(false) => return TaskEnd::Returned,
                Err(OwnerError::NotWanted(text)) => return TaskEnd::NotWanted(text),
                Err(OwnerError::Away(text)) => text,
            };
            // Others compute meanwhile.
            lane.leave();
            self.away.missed(&notice.owner);
            let Some(pause) = pauses.next() else { return TaskEnd::OwnerAway(text) };
            sleep(pause).await;
        }
    }
}

/// Skips a task that no worker thread has taken when it is not waited for any more.
#[derive(Default)]
struct Cancelled(Arc<AtomicBool>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
