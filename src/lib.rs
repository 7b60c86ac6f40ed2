//! Stemwire separates music into stems while the upload is still arriving.

pub mod audio;
pub mod cli;
pub mod client;
pub mod dsp;
pub mod engine;
pub mod separation;
pub mod server;
pub mod session;
pub mod wire;
