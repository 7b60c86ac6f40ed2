//! The process of a candidate: separates the fixed segment on request.
//!
//! It writes `loaded` when the model is loaded; `ready BYTES` and the stems, float32 little-endian, after the first
//! separation; `took NANOSECONDS` for each line that it reads; `failed REASON` on an error. It ends at the end of its
//! input. Its lines begin with [`MARK`]; all others are those of the libraries.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use super::segment;
use crate::audio::Stereo;
use crate::engine::inference;
use crate::engine::marked_lines::{to_bytes, write_line};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::Model;

/// Prefix of the lines of this protocol.
pub(super) const MARK: &str = "stemwire-autotune ";

/// Separates the fixed segment for each line of `input`, until it ends.
///
/// # Errors
/// I/O errors of `input` and `output`.
pub fn run(
    model: &Arc<Model>,
    config: &ExecutionConfig,
    input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let options = EngineOptions::all(model.card());
    let mut engine = match load(model, config, &options) {
        Ok(engine) => engine,
        Err(error) => return report_failure(&mut output, &error.to_string()),
    };
    send(&mut output, "loaded")?;
    let mix = segment::fixed(model.card().segment, model.card().sample_rate);
    let stems = match engine.separate(&mix, &options) {
        Ok(stems) => stems,
        Err(error) => return report_failure(&mut output, &error.to_string()),
    };
    let bytes = to_bytes(stems.iter().flat_map(Stereo::planes));
    send(&mut output, &format!("ready {}", bytes.len()))?;
    output.write_all(&bytes)?;
    output.flush()?;
    for line in input.lines() {
        line?;
        let begun = Instant::now();
        if let Err(error) = engine.separate(&mix, &options) {
            return report_failure(&mut output, &error.to_string());
        }
        send(&mut output, &format!("took {}", begun.elapsed().as_nanos()))?;
    }
    Ok(())
}

/// Reports a failure to the parent.
///
/// # Errors
/// I/O errors of `output`.
pub fn report_failure(mut output: impl Write, reason: &str) -> io::Result<()> {
    send(&mut output, &format!("failed {}", reason.replace('\n', " ")))
}

fn send(output: &mut impl Write, text: &str) -> io::Result<()> {
    write_line(output, MARK, text)
}

fn load(
    model: &Arc<Model>,
    config: &ExecutionConfig,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    let mut engine = inference::load(model, config)?;
    engine.prepare(options)?;
    Ok(engine)
}
