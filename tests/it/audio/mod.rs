//! Resampling and writing audio files.

mod flac;
mod resample;
