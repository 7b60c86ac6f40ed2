//! Turns panics of engines, and stems that are not valid, into errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::audio::Stereo;
use crate::engine::EngineError;
use crate::model::{Model, ModelCard};

/// Checks that an engine returned finite stems of the expected shape.
///
/// # Errors
/// [`EngineError::Run`], [`EngineError::NotFinite`].
pub(crate) fn checked(
    stems: Vec<Stereo>,
    frames: usize,
    card: &ModelCard,
) -> Result<Vec<Stereo>, EngineError> {
    let model = || card.name.to_string();
    if stems.len() != card.stems.len() || stems.iter().any(|stem| stem.len() != frames) {
        let reason = format!("it returned {} stems of another shape", stems.len());
        return Err(EngineError::Run { model: model(), reason });
    }
    // Without an early exit inside a chunk the compiler checks several samples at once.
    let finite = |run: &[f32]| run.iter().fold(true, |all, sample| all & sample.is_finite());
    if !stems.iter().flat_map(Stereo::planes).flat_map(|plane| plane.chunks(1024)).all(finite) {
        return Err(EngineError::NotFinite { model: model() });
    }
    Ok(stems)
}

/// Runs `work` and turns a panic into an error of `model`.
///
/// # Errors
/// Those of `work`; [`EngineError::Panicked`].
pub(crate) fn guarded<T>(
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
