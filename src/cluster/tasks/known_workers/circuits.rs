//! Which engines of workers are passed over, because they fail.
//!
//! The circuit of an engine is that of a model at a worker. While it is open and another worker computes the same, the worker gets
//! no segment of the model. A probe is an ordinary segment: if it fails, another worker computes it.

use std::time::Duration;

use super::{KnownWorker, KnownWorkers};
use crate::cluster::tasks::announcement::WorkerAnnouncement;
use crate::cluster::tasks::key::TaskExecution;
use crate::engine::EngineError;
use crate::engine::fallback::circuit_breaker::CircuitState;
use crate::engine::pool::{RemoteWorker, WorkerFault};
use crate::model::ModelName;

impl KnownWorkers {
    /// A worker has computed a segment, or failed on one.
    pub(in crate::cluster::tasks) fn note(
        &self,
        worker: &str,
        execution: &TaskExecution,
        error: Option<&EngineError>,
    ) {
        let state = self.lock();
        let known = state.workers.get(&WorkerAnnouncement::key(worker));
        let Some(engine) = known.and_then(|known| known.engine(execution)) else { return };
        let circuit = circuit(worker, &engine.model);
        match error {
            None => self.circuits.succeeded(&circuit),
            Some(error) if self.circuits.health(&circuit).circuit == CircuitState::Probing => {
                tracing::info!(engine = circuit, %error, "probe failed");
                self.circuits.probe_failed(&circuit, error.clone());
            }
            Some(error) => self.circuits.failed(&circuit, error),
        }
    }

    /// Whether a worker may compute a task, which has failed at `failed_at` before.
    ///
    /// # Errors
    /// The time for which it is passed over, because it fails on the model. Zero if it has failed on this task only.
    pub(in crate::cluster::tasks) fn admit(
        &self,
        worker: &str,
        execution: &TaskExecution,
        failed_at: Option<&str>,
    ) -> Result<(), Duration> {
        if !self.has_other(worker, execution) {
            return Ok(());
        }
        if failed_at == Some(worker) {
            return Err(Duration::ZERO);
        }
        let state = self.lock();
        let known = state.workers.get(&WorkerAnnouncement::key(worker));
        let Some(engine) = known.and_then(|known| known.engine(execution)) else { return Ok(()) };
        self.circuits.admit(&circuit(worker, &engine.model))
    }

    /// Whether another worker computes the same, and works.
    pub(in crate::cluster::tasks) fn has_other(
        &self,
        worker: &str,
        execution: &TaskExecution,
    ) -> bool {
        let state = self.lock();
        let mut others = state.workers.values().filter(|known| known.worker.name != worker);
        others.any(|known| self.works(known, execution))
    }

    /// Whether a worker has an engine, and its circuit is closed.
    pub(super) fn works(&self, known: &KnownWorker, execution: &TaskExecution) -> bool {
        let engine = known.engine(execution);
        let is_closed = |model| self.circuits.is_closed(&circuit(&known.worker.name, model));
        engine.is_some_and(|engine| is_closed(&engine.model))
    }

    /// The engines of a worker that have failed since their last success.
    pub(super) fn faults(&self, worker: &RemoteWorker) -> Vec<WorkerFault> {
        let fault = |model: &ModelName| {
            let health = self.circuits.health(&circuit(&worker.name, model));
            (health.failures > 0).then(|| WorkerFault { model: model.clone(), health })
        };
        worker.engines.iter().filter_map(|engine| fault(&engine.model)).collect()
    }

    /// A worker is gone: one of its name begins anew.
    pub(super) fn forget_circuits(&self, worker: &RemoteWorker) {
        for engine in &worker.engines {
            self.circuits.forget(&circuit(&worker.name, &engine.model));
        }
    }
}

/// The name of an engine's circuit.
fn circuit(worker: &str, model: &ModelName) -> String {
    format!("{model} at {worker}")
}
