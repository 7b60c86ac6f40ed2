//! Stemwire separates music into stems while the upload is still arriving.

pub mod audio;
pub mod dsp;
pub mod engine;
pub mod session;
