//! What to decode of an upload, and the command that does.

use std::num::NonZero;
use std::process::Command;

use super::DecoderConfig;
use crate::audio::{Hertz, TimeSpan};
use crate::process;
use crate::session::settings::RawPcm;

/// What to decode of an upload.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct DecodeRequest {
    /// The form of raw PCM.
    pub(super) raw: Option<RawPcm>,
    /// Number of the audio track; `None` for the first.
    pub(super) track: Option<NonZero<u32>>,
    /// The part to decode.
    pub(super) span: TimeSpan,
    /// Whether audio that begins later than the pictures beside it begins with silence.
    pub(super) keep_start: bool,
}

impl DecodeRequest {
    /// The command that decodes an upload to this rate.
    pub(super) fn command(&self, config: &DecoderConfig, rate: Hertz) -> Command {
        let DecodeRequest { raw, track, span, keep_start } = *self;
        let mut command = process::isolated_command(&config.program);
        command.args(["decode", "--rate", &rate.0.to_string()]);
        command.args(["--memory", &config.memory.to_string()]);
        command.args(["--processor-time", &config.processor_time.as_secs().to_string()]);
        if let Some(raw) = raw {
            command.args(["--raw", &raw.to_string()]);
        }
        if let Some(track) = track {
            command.args(["--track", &track.to_string()]);
        }
        if keep_start {
            command.arg("--keep-start");
        }
        if !span.start.is_zero() {
            command.args(["--start", &span.start.as_nanos().to_string()]);
        }
        if let Some(end) = span.end {
            command.args(["--end", &end.as_nanos().to_string()]);
        }
        if config.require_sandbox {
            command.arg("--require-sandbox");
        }
        command
    }
}
