//! Runs of a graph: asking one to stop, from another thread, and telling how long it took.

use std::sync::Arc;
use std::time::Instant;

use ort::session::RunOptions;

use super::EngineError;
use crate::model::ModelCard;

/// Asks the segment for which an engine has given it out to end soon, with an error, whether its graph runs already
/// or has yet to. Returns at once.
pub type Stopper = Arc<dyn Fn() + Send + Sync>;

/// An engine's way of running its graph so that a [`Stopper`] reaches it: between two nodes of the graph.
pub(super) struct StoppableRun {
    options: Arc<RunOptions>,
}

impl StoppableRun {
    /// Nobody has asked it to stop.
    ///
    /// # Errors
    /// [`EngineError::Load`] where the runtime has no memory left.
    pub(super) fn new(card: &ModelCard) -> Result<StoppableRun, EngineError> {
        let options = RunOptions::new().map_err(|error| EngineError::Load {
            model: card.name.to_string(),
            reason: error.to_string(),
        })?;
        Ok(StoppableRun { options: Arc::new(options) })
    }

    /// What a run takes.
    pub(super) fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Stops the next run, from now on. What was asked of the runs before is forgotten here and nowhere later: by
    /// the time the graph runs, this one may have been asked.
    pub(super) fn stopper(&mut self) -> Stopper {
        if let Err(error) = self.options.unterminate() {
            // Then the next run ends as the one before was asked to, and the engine is loaded anew.
            tracing::warn!(%error, "a run that was asked to stop cannot be forgotten");
        }
        let options = Arc::clone(&self.options);
        Arc::new(move || {
            if let Err(error) = options.terminate() {
                // Then it is given up when its time is over, as one is that does not listen.
                tracing::warn!(%error, "a run cannot be asked to stop");
            }
        })
    }
}

/// Tells the log how long a run of the graph took, so that all else can be told from it.
pub(super) fn log_inference(model: &str, begun: Instant) {
    tracing::debug!(model, seconds = begun.elapsed().as_secs_f64(), "inference");
}
