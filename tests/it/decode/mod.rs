//! Decoding uploads, from their bytes to a track at one rate.

mod arrival;
mod caught_panics;
mod chains;
mod cuts;
mod damage;
mod documented_formats;
mod edits;
mod films;
mod formats;
mod hostile;
mod layer_1;
#[cfg(target_os = "linux")]
mod memory;
mod refusals;
mod tags;
mod track;
