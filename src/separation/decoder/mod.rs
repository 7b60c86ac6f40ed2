//! Decoding in a confined child process, so that a malformed file can fail its own session only.
//!
//! The child is this same binary, called as `stemwire decode`. Before it reads anything it enters its
//! [sandbox](crate::process::sandbox). It reads the upload as it grows and writes blocks of PCM at the model's rate, each
//! behind the edges of its silent passages; it receives how far the upload has grown ([`protocol`], [`connection`]).
//! [`child`] is the code that runs in it, [`parent`] starts it and watches for stalls, [`receiver`] writes its output to the
//! track, [`probe`] tries it. What it does not support, [`ffmpeg`] decodes where it is installed; the tags of such an upload
//! are read on their own ([`tag_reader`]).

pub mod child;
mod connection;
mod failure;
pub mod ffmpeg;
mod parent;
mod probe;
mod protocol;
mod receiver;
mod request;
mod shared;
mod tag_reader;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, Ffmpeg, Sandbox};

pub(super) use parent::{DecodePlan, DecoderProcess};
pub(super) use shared::DecodeProgress;

/// The program that decodes, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderConfig {
    /// The program to call as `PROGRAM decode …`: this binary.
    pub program: PathBuf,
    /// Address space of the child, in bytes.
    pub memory: u64,
    /// Processor time of the child.
    pub processor_time: Duration,
    /// How long the child may make no progress while it has bytes to decode.
    pub stall: Duration,
    /// Whether a child refuses to decode where this system lacks a part of its sandbox.
    pub require_sandbox: bool,
    /// FFmpeg, which decodes what the child does not support: an absolute path without links.
    pub ffmpeg: Option<PathBuf>,
    /// What confines a child on this system, as far as that was [probed](DecoderConfig::probe).
    pub sandbox: Sandbox,
}

impl DecoderConfig {
    /// The running binary, with the default limits.
    ///
    /// # Errors
    /// The system does not report the binary's path.
    pub fn from_here() -> std::io::Result<DecoderConfig> {
        Ok(DecoderConfig {
            program: process::own_binary()?,
            // The largest header that is held whole takes a few per cent of it.
            memory: 1 << 30,
            // Eight hours of FLAC take a few minutes.
            processor_time: Duration::from_secs(3600),
            stall: Duration::from_secs(60),
            require_sandbox: false,
            ffmpeg: None,
            sandbox: Sandbox::default(),
        })
    }

    /// Starts a decoder on an empty upload. Returns what confines it.
    ///
    /// # Errors
    /// It does not start, does not answer, or lacks a sandbox that is required.
    pub fn probe(&self) -> std::io::Result<Sandbox> {
        probe::probe(self)
    }

    /// FFmpeg with the limits of a decoder; `None` if there is none.
    pub fn ffmpeg(&self) -> Option<Ffmpeg> {
        self.ffmpeg.as_deref().map(|program| self.ffmpeg_at(program))
    }

    fn ffmpeg_at(&self, program: &Path) -> Ffmpeg {
        Ffmpeg {
            launcher: self.program.clone(),
            program: program.to_owned(),
            memory: self.memory,
            processor_time: self.processor_time,
            stall: self.stall,
            require_sandbox: self.require_sandbox,
        }
    }

    /// Runs FFmpeg in its sandbox. Returns its name and version, such as `ffmpeg 7.0.2`; `None` if there is none.
    ///
    /// # Errors
    /// It does not start, or is no FFmpeg.
    pub fn probe_ffmpeg(&self) -> std::io::Result<Option<String>> {
        self.ffmpeg.as_deref().map(|program| ffmpeg::version(self, program)).transpose()
    }
}
