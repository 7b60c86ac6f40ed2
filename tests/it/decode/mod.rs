//! Decoding uploads, from their bytes to a track at one rate.

mod arrival;
mod chains;
mod cuts;
mod damage;
mod edits;
mod films;
mod formats;
mod hostile;
mod layer_1;
#[cfg(target_os = "linux")]
mod memory;
mod quiet;
mod refusals;
mod table;
mod tags;
mod track;
