//! FFmpeg as a confined child process.
//!
//! It is started through this binary (`stemwire ffmpeg`, [`launch`]), which sets the limits, confines itself and then becomes
//! FFmpeg.

pub(crate) mod launch;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::isolated_command;

/// What FFmpeg encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FfmpegCodec {
    /// AAC in ADTS.
    Aac,
    /// Frames of MP3, without a header or tags.
    Mp3,
}

impl FfmpegCodec {
    /// Its name as an argument.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            FfmpegCodec::Aac => "aac",
            FfmpegCodec::Mp3 => "mp3",
        }
    }

    /// The codec of this name.
    pub(crate) fn named(name: &str) -> Option<FfmpegCodec> {
        [FfmpegCodec::Aac, FfmpegCodec::Mp3].into_iter().find(|codec| codec.name() == name)
    }
}

/// FFmpeg and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ffmpeg {
    /// The program to call as `PROGRAM ffmpeg …`: this binary.
    pub launcher: PathBuf,
    /// FFmpeg: an absolute path without links.
    pub program: PathBuf,
    /// Address space, in bytes.
    pub memory: u64,
    /// Processor time.
    pub processor_time: Duration,
    /// How long it may make no progress while it has something to encode.
    pub stall: Duration,
    /// Whether it is not run where this system lacks a part of its sandbox.
    pub require_sandbox: bool,
}

impl Ffmpeg {
    /// The command that becomes FFmpeg; without further arguments it prints its version.
    pub(crate) fn command(&self) -> Command {
        let mut command = isolated_command(&self.launcher);
        command.arg("ffmpeg").arg("--program").arg(&self.program);
        command.args(["--memory", &self.memory.to_string()]);
        command.args(["--processor-time", &self.processor_time.as_secs().to_string()]);
        if self.require_sandbox {
            command.arg("--require-sandbox");
        }
        command
    }
}
