//! One worker's life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Job, PoolConfig, Shared, guarded, is_cancelled};
use crate::engine::{Answer, Engine, EngineError, Model};

/// Takes jobs until the pool closes.
pub(super) fn run(shared: &Shared, config: PoolConfig) {
    let mut engines = Engines { loaded: Vec::new(), config };
    while let Some((owner, job)) = shared.next() {
        let (result, cost) = engines.separate(shared, &job);
        shared.lock().queue.finish(owner, cost);
        (job.done)(result);
    }
}

/// The engines that this worker has loaded, the most recently used last.
struct Engines {
    loaded: Vec<(Arc<Model>, Box<dyn Engine>)>,
    config: PoolConfig,
}

impl Engines {
    /// Separates one segment; answers also what it cost its owner.
    fn separate(&mut self, shared: &Shared, job: &Job) -> (Result<Answer, EngineError>, Duration) {
        if is_cancelled(job) {
            return (Err(EngineError::Cancelled), Duration::ZERO);
        }
        let mut engine = match self.take(shared, &job.model) {
            Ok(engine) => engine,
            Err(error) => return (Err(error), Duration::ZERO),
        };
        if let Err(error) = guarded(&job.model, || engine.prepare(&job.options)) {
            return (Err(error), Duration::ZERO);
        }
        let start = Instant::now();
        let result = guarded(&job.model, || engine.separate(&job.mix, &job.options));
        let engine_time = start.elapsed();
        // An engine that has panicked may be in any state; it is dropped and loaded anew.
        if !matches!(result, Err(EngineError::Panicked { .. })) {
            self.loaded.push((Arc::clone(&job.model), engine));
        }
        (result.map(|stems| Answer { stems, engine_time }), engine_time)
    }

    /// The engine of `model`, taken out of the list or loaded.
    fn take(
        &mut self,
        shared: &Shared,
        model: &Arc<Model>,
    ) -> Result<Box<dyn Engine>, EngineError> {
        let loaded = self.loaded.iter().position(|(other, _)| Arc::ptr_eq(other, model));
        if let Some(index) = loaded {
            return Ok(self.loaded.remove(index).1);
        }
        let keep = self.config.models_per_worker.saturating_sub(1);
        while self.loaded.len() > keep {
            let (model, _) = self.loaded.remove(0);
            tracing::info!(model = %model.card().name, "unloaded to make room");
        }
        let start = Instant::now();
        let engine =
            guarded(model, || model.load(&shared.runtime, self.config.threads_per_worker))?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(model = %model.card().name, seconds, "loaded");
        Ok(engine)
    }
}
