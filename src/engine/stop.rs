//! Stopping the run of a graph from another thread, and logging its time.

use std::sync::Arc;
use std::time::Instant;

use ort::session::RunOptions;

use super::EngineError;
use crate::model::ModelCard;

/// Requests the segment that it was handed out for to end soon, with an error, whether its graph is running or has yet to
/// start. Returns at once.
pub type Stopper = Arc<dyn Fn() + Send + Sync>;

/// Options of a graph's runs, through which a [`Stopper`] ends one between two nodes of the graph.
pub(super) struct StoppableRun {
    options: Arc<RunOptions>,
}

impl StoppableRun {
    /// Without a stop request.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`]: nothing else makes it fail.
    pub(super) fn new(card: &ModelCard) -> Result<StoppableRun, EngineError> {
        let options = RunOptions::new().map_err(|error| EngineError::OutOfMemory {
            model: card.name.to_string(),
            reason: error.to_string(),
        })?;
        Ok(StoppableRun { options: Arc::new(options) })
    }

    /// The options for a run.
    pub(super) fn options(&self) -> &RunOptions {
        &self.options
    }

    /// A stopper for the next run. Requests for earlier runs are cleared here and not when the graph starts, because by
    /// then a stop may have been requested for this run.
    pub(super) fn stopper(&mut self) -> Stopper {
        if let Err(error) = self.options.unterminate() {
            // The next run then ends as the last one was requested to, and the engine is loaded again.
            tracing::warn!(%error, "cannot clear the stop request of an earlier run");
        }
        let options = Arc::clone(&self.options);
        Arc::new(move || {
            if let Err(error) = options.terminate() {
                // The watchdog then abandons the worker after the grace period.
                tracing::warn!(%error, "cannot request a run to stop");
            }
        })
    }
}

/// Logs the time of a graph's run, from which benchmarks derive all other time.
pub(super) fn log_inference(model: &str, started: Instant) {
    tracing::debug!(model, seconds = started.elapsed().as_secs_f64(), "inference");
}
