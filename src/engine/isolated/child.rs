//! The process of an isolated engine.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::messages::{IsolatedMessage, SegmentRequest};
use crate::audio::Stereo;
use crate::engine::{Engine, EngineError, ExecutionConfig, inference};
use crate::model::Model;

/// Separates the segments that are requested on `input`, until it ends.
///
/// # Errors
/// I/O errors of `input` and `output`; an input that is no request.
pub fn run(
    model: &Arc<Model>,
    config: &ExecutionConfig,
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let mut engine = match inference::load(model, config) {
        Ok(engine) => engine,
        Err(error) => return IsolatedMessage::of(Err(error)).write(&mut output),
    };
    IsolatedMessage::Loaded.write(&mut output)?;
    while let Some(request) = SegmentRequest::read(&mut input)? {
        IsolatedMessage::of(separate(engine.as_mut(), &request)).write(&mut output)?;
    }
    Ok(())
}

/// Reports a failure to the parent.
///
/// # Errors
/// I/O errors of `output`.
pub fn report_failure(mut output: impl Write, reason: &str) -> io::Result<()> {
    IsolatedMessage::Failed(reason.to_owned()).write(&mut output)
}

fn separate(engine: &mut dyn Engine, request: &SegmentRequest) -> Result<Vec<Stereo>, EngineError> {
    engine.prepare(&request.options)?;
    engine.separate(&request.mix, &request.options)
}
