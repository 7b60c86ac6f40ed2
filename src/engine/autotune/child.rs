//! A candidate's process: it separates the fixed segment whenever it is told to.
//!
//! It says `loaded` when it has the model; `ready BYTES` and the stems, float32 little-endian, once it has separated for
//! the first time; then `took NANOSECONDS` for each line it reads; `failed REASON` when it cannot. The end of its input
//! ends it.
//! Its lines begin with [`MARK`]; all others are the libraries' own.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use super::segment;
use crate::audio::Stereo;
use crate::engine::{Compute, Engine, EngineError, Options};
use crate::model::Model;

/// What no library begins a line with.
pub(super) const MARK: &str = "stemwire-trial ";

/// Performs until `input` ends.
///
/// # Errors
/// Those of reading and writing.
pub fn perform(
    model: &Arc<Model>,
    compute: &Compute,
    input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    let options = Options::all(model.card());
    let mut engine = match load(model, compute, &options) {
        Ok(engine) => engine,
        Err(error) => return failed(&mut output, &error.to_string()),
    };
    say(&mut output, "loaded")?;
    let mix = segment::fixed(model.card().segment, model.card().sample_rate);
    let stems = match engine.separate(&mix, &options) {
        Ok(stems) => stems,
        Err(error) => return failed(&mut output, &error.to_string()),
    };
    let planes = stems.iter().flat_map(Stereo::planes);
    let bytes: Vec<u8> = planes.flatten().flat_map(|sample| sample.to_le_bytes()).collect();
    say(&mut output, &format!("ready {}", bytes.len()))?;
    output.write_all(&bytes)?;
    output.flush()?;
    for line in input.lines() {
        line?;
        let begun = Instant::now();
        if let Err(error) = engine.separate(&mix, &options) {
            return failed(&mut output, &error.to_string());
        }
        say(&mut output, &format!("took {}", begun.elapsed().as_nanos()))?;
    }
    Ok(())
}

/// Says why there is no answer.
///
/// # Errors
/// Those of writing.
pub fn failed(mut output: impl Write, reason: &str) -> io::Result<()> {
    say(&mut output, &format!("failed {}", reason.replace('\n', " ")))
}

fn say(output: &mut impl Write, text: &str) -> io::Result<()> {
    // A library may have left a line of its own unfinished.
    write!(output, "\n{MARK}{text}\n")?;
    output.flush()
}

fn load(
    model: &Arc<Model>,
    compute: &Compute,
    options: &Options,
) -> Result<Box<dyn Engine>, EngineError> {
    let mut engine = model.load(compute)?;
    engine.prepare(options)?;
    Ok(engine)
}
