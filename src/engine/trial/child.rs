//! A candidate's process: it separates the fixed segment whenever it is told to.
//!
//! It says `ready BYTES` and the stems, float32 little-endian, once it has done so for the first time; then
//! `took NANOSECONDS` for each line it reads; `failed REASON` when it cannot. The end of its input ends it.
//! Lines that begin otherwise are the libraries' own.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use super::segment;
use crate::audio::Stereo;
use crate::engine::{Compute, Engine, EngineError, Model, Options};

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
    let performed = ready(model, compute);
    let (mut engine, mix, stems) = match performed {
        Ok(ready) => ready,
        Err(error) => return failed(&mut output, &error.to_string()),
    };
    let planes = stems.iter().flat_map(Stereo::planes);
    let bytes: Vec<u8> = planes.flatten().flat_map(|sample| sample.to_le_bytes()).collect();
    writeln!(output, "ready {}", bytes.len())?;
    output.write_all(&bytes)?;
    output.flush()?;
    let options = Options::all(model.card());
    for line in input.lines() {
        line?;
        let begun = Instant::now();
        if let Err(error) = engine.separate(&mix, &options) {
            return failed(&mut output, &error.to_string());
        }
        writeln!(output, "took {}", begun.elapsed().as_nanos())?;
        output.flush()?;
    }
    Ok(())
}

/// Says why there is no answer.
///
/// # Errors
/// Those of writing.
pub fn failed(mut output: impl Write, reason: &str) -> io::Result<()> {
    writeln!(output, "failed {}", reason.replace('\n', " "))?;
    output.flush()
}

type Ready = (Box<dyn Engine>, Stereo, Vec<Stereo>);

fn ready(model: &Arc<Model>, compute: &Compute) -> Result<Ready, EngineError> {
    let card = model.card();
    let mix = segment::fixed(card.segment, card.sample_rate);
    let mut engine = model.load(compute)?;
    let stems = engine.separate(&mix, &Options::all(card))?;
    Ok((engine, mix, stems))
}
