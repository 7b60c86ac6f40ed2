//! Decoding in a child process, so that a file can at worst take its own session down.
//!
//! The child is this same binary, called as `stemwire decode`. It reads the upload as it grows and
//! writes blocks of PCM at the model's rate; how far the upload has grown it is told on its standard
//! input ([`protocol`]). [`child`] is what runs in it, [`parent`] what starts and watches it,
//! [`receiver`] takes what it says, and [`rank`] has it all come after inference.

pub mod child;
mod crash;
pub(super) mod parent;
mod protocol;
mod rank;
mod receiver;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use parent::Decoding;

/// How decoders run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderConfig {
    /// The program to call as `PROGRAM decode …`: this binary.
    pub program: PathBuf,
    /// Address space that the child may have, in bytes.
    pub memory: u64,
    /// Processor time that the child may use.
    pub processor_time: Duration,
    /// How long the child may be silent while it has bytes to work on.
    pub stall: Duration,
}

impl DecoderConfig {
    /// The running binary, with the default limits.
    ///
    /// # Errors
    /// Where the system does not tell the binary's path.
    pub fn from_here() -> std::io::Result<DecoderConfig> {
        // Linux keeps the running binary under this name even when another version takes its place on the
        // disk: parent and child must be of one version.
        let program = match PathBuf::from("/proc/self/exe") {
            own if cfg!(target_os = "linux") && own.exists() => own,
            _ => std::env::current_exe()?,
        };
        Ok(DecoderConfig {
            program,
            // The largest header that is held whole takes a few per cent of it.
            memory: 1 << 30,
            // Eight hours of FLAC take a few minutes.
            processor_time: Duration::from_secs(3600),
            stall: Duration::from_secs(60),
        })
    }
}
