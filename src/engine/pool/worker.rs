//! One worker's life.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::audio::Stereo;
use crate::engine::pool::dispatcher::{Roster, Task, WorkerId};
use crate::engine::{Answer, Engine, EngineError};
use crate::model::{Model, ModelCard};

/// Takes jobs until the pool closes, or until this worker is given up.
pub(super) fn run(roster: &Roster, id: WorkerId) {
    let mut engines = Engines { loaded: Vec::new(), roster, id };
    while let Some(task) = roster.next(id) {
        let (result, cost) = engines.separate(task);
        if !roster.answer(id, result, cost) {
            return;
        }
    }
}

/// The engines that this worker has loaded, the most recently used last.
struct Engines<'a> {
    loaded: Vec<(Arc<Model>, Box<dyn Engine>)>,
    roster: &'a Roster,
    id: WorkerId,
}

impl Engines<'_> {
    /// Separates one segment; answers also what it cost its owner.
    fn separate(&mut self, task: Task) -> (Result<Answer, EngineError>, Duration) {
        if task.cancelled.load(Ordering::Relaxed) {
            return (Err(EngineError::Cancelled), Duration::ZERO);
        }
        (task.begun)();
        let model = &task.model;
        let mut engine = match self.take(model) {
            Ok(engine) => engine,
            Err(error) => return (Err(error), Duration::ZERO),
        };
        if let Err(error) = guarded(model, || engine.prepare(&task.options)) {
            return (Err(error), Duration::ZERO);
        }
        if !self.roster.begin(self.id, model.card(), engine.stopper()) {
            return (Err(EngineError::ShuttingDown), Duration::ZERO);
        }
        let start = Instant::now();
        let result = guarded(model, || engine.separate(&task.mix, &task.options));
        let engine_time = start.elapsed();
        let result = result.and_then(|stems| checked(stems, task.mix.len(), model.card()));
        match result {
            Ok(stems) => {
                self.loaded.push((task.model, engine));
                (Ok(Answer { stems, engine_time }), engine_time)
            }
            Err(error) => {
                // One that has failed may be in any state; it is loaded anew. Its end may fail, too.
                let _ = guarded(model, move || {
                    drop(engine);
                    Ok(())
                });
                (Err(error), engine_time)
            }
        }
    }

    /// The engine of `model`, taken out of the list or loaded.
    fn take(&mut self, model: &Arc<Model>) -> Result<Box<dyn Engine>, EngineError> {
        let loaded = self.loaded.iter().position(|(other, _)| Arc::ptr_eq(other, model));
        if let Some(index) = loaded {
            return Ok(self.loaded.remove(index).1);
        }
        let config = self.roster.config();
        let keep = config.models_per_worker.saturating_sub(1);
        while self.loaded.len() > keep {
            let (model, _) = self.loaded.remove(0);
            tracing::info!(model = %model.card().name, "unloaded to make room");
        }
        let start = Instant::now();
        let loader = self.roster.loader();
        let engine = guarded(model, || loader.load(model, config.threads_per_worker))?;
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(model = %model.card().name, seconds, "loaded");
        Ok(engine)
    }
}

/// Holds an engine to what it promises.
fn checked(
    stems: Vec<Stereo>,
    frames: usize,
    card: &ModelCard,
) -> Result<Vec<Stereo>, EngineError> {
    let model = || card.name.to_string();
    if stems.len() != card.stems.len() || stems.iter().any(|stem| stem.len() != frames) {
        let reason = format!("it answered {} stems of another shape", stems.len());
        return Err(EngineError::Run { model: model(), reason });
    }
    // Whole runs are looked at, of which none ends early: several samples at once.
    let finite = |run: &[f32]| run.iter().fold(true, |all, sample| all & sample.is_finite());
    if !stems.iter().flat_map(Stereo::planes).flat_map(|plane| plane.chunks(1024)).all(finite) {
        return Err(EngineError::NotFinite { model: model() });
    }
    Ok(stems)
}

/// Runs `work`, and makes a panic of it an error of `model`.
fn guarded<T>(
    model: &Model,
    work: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let reason = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(EngineError::Panicked {
            model: model.card().name.to_string(),
            reason: reason.unwrap_or("without a message").to_owned(),
        })
    })
}
