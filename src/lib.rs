//! Stemwire separates music into stems while the upload is still arriving.

pub mod audio;
pub mod cli;
pub mod cluster;
pub mod decode;
pub mod dsp;
pub mod encode;
pub mod engine;
pub mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod licences;
pub mod model;
mod process;
pub mod proto;
pub mod separation;
pub mod server;
pub mod session;
pub mod trace;
