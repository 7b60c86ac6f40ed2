//! The loop of one worker thread and the engines it keeps loaded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::ensemble::{self, MemberOrder};
use crate::engine::pool::guard::{checked, guarded};
use crate::engine::pool::local_dispatcher::{Assignment, LocalDispatcher, WorkerId};
use crate::engine::{Engine, EngineError, SeparatedSegment};
use crate::model::Model;

/// Starts one more worker thread.
///
/// # Errors
/// The system's error when no thread can be started.
pub(super) fn spawn(dispatcher: &Arc<LocalDispatcher>) -> io::Result<()> {
    dispatcher.add_worker(|id| {
        let dispatcher = Arc::clone(dispatcher);
        let thread = std::thread::Builder::new().name(format!("worker-{id}"));
        thread.spawn(move || run(&dispatcher, id))
    })
}

/// Runs tasks until the pool is closed or this worker is abandoned.
fn run(dispatcher: &LocalDispatcher, id: WorkerId) {
    let mut engines = LoadedEngines { loaded: Vec::new(), dispatcher, id };
    while let Some(assignment) = dispatcher.next(id) {
        let (result, taken) = engines.separate(assignment);
        if !dispatcher.finish(id, result, taken) {
            return;
        }
    }
}

/// The engines that a worker has loaded, the most recently used last.
struct LoadedEngines<'a> {
    loaded: Vec<(Arc<Model>, Box<dyn Engine>)>,
    dispatcher: &'a LocalDispatcher,
    id: WorkerId,
}

impl LoadedEngines<'_> {
    /// Separates one segment. Also returns the engine time, which its owner pays for.
    fn separate(
        &mut self,
        assignment: Assignment,
    ) -> (Result<SeparatedSegment, EngineError>, Duration) {
        if assignment.cancelled.load(Ordering::Relaxed) {
            return (Err(EngineError::Cancelled), Duration::ZERO);
        }
        (assignment.on_start)();
        let model = &assignment.model;
        let engine = if assignment.isolated { self.isolate(model) } else { self.take(model) };
        let mut engine = match engine {
            Ok(engine) => engine,
            Err(error) => return (Err(error), Duration::ZERO),
        };
        if let Err(error) = guarded(model, || engine.prepare(&assignment.options)) {
            return (Err(error), Duration::ZERO);
        }
        if !self.dispatcher.start_segment(self.id, model.card(), engine.stopper()) {
            return (Err(EngineError::ShuttingDown), Duration::ZERO);
        }
        let start = Instant::now();
        let result = guarded(model, || engine.separate(&assignment.mix, &assignment.options));
        let engine_time = start.elapsed();
        let result = result.and_then(|stems| checked(stems, assignment.mix.len(), model.card()));
        match result {
            Ok(stems) => {
                if !assignment.isolated {
                    let (model, options) = (&assignment.model, &assignment.options);
                    self.dispatcher.count_time(model, options, engine_time);
                    self.loaded.push((assignment.model, engine));
                }
                (Ok(SeparatedSegment { stems, engine_time }), engine_time)
            }
            Err(error) => {
                // A failed engine may be in any state, so it is dropped and loaded again. Dropping may panic too; the
                // error of the segment is what counts.
                let _ = guarded(model, move || {
                    drop(engine);
                    Ok(())
                });
                (Err(error), engine_time)
            }
        }
    }

    /// Loads the engine of `model` in a process of its own.
    fn isolate(&self, model: &Arc<Model>) -> Result<Box<dyn Engine>, EngineError> {
        let config = self.dispatcher.config();
        let loader = self.dispatcher.loader();
        let (threads, limit) = (config.threads_per_worker, config.limits.load);
        let load = |model: &Arc<Model>| loader.load_isolated(model, threads, limit);
        guarded(model, || {
            ensemble::load(model, MemberOrder::InTurn, load)?.map_or_else(|| load(model), Ok)
        })
    }

    /// Takes the engine of `model` out of the list, or loads it.
    fn take(&mut self, model: &Arc<Model>) -> Result<Box<dyn Engine>, EngineError> {
        let loaded = self.loaded.iter().position(|(other, _)| Arc::ptr_eq(other, model));
        if let Some(index) = loaded {
            return Ok(self.loaded.remove(index).1);
        }
        let config = self.dispatcher.config();
        let keep = config.models_per_worker.saturating_sub(1);
        while self.loaded.len() > keep {
            let (model, _) = self.loaded.remove(0);
            tracing::info!(model = %model.card().name, "model unloaded");
        }
        let start = Instant::now();
        let loader = self.dispatcher.loader();
        let load = |model: &Arc<Model>| loader.load(model, config.threads_per_worker);
        let engine = guarded(model, || {
            ensemble::load(model, MemberOrder::InTurn, load)?.map_or_else(|| load(model), Ok)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(model = %model.card().name, seconds, "model loaded");
        Ok(engine)
    }
}
