//! Failures of decoders that did not report one themselves.

use std::io;
use std::num::NonZero;
use std::time::Duration;

use crate::decode::CHOOSE_TRACK;
use crate::files::Shortage;
use crate::process::{Death, Ending, Limit};
use crate::proto::reason::ErrorReason;
use crate::session::Failure;

/// The failure of a decoder that ended without a last message.
pub(super) fn ended(ending: Ending) -> Failure {
    let (reason, cause) = match ending.limit {
        Some(Limit::Memory) => {
            (ErrorReason::DecoderLimit, "the file needs more memory than a decoder may use")
        }
        Some(Limit::CpuTime) => {
            (ErrorReason::DecoderLimit, "the file needs more processor time than a decoder may use")
        }
        Some(Limit::SystemCall) => (
            ErrorReason::DecoderSandbox,
            "the decoder was stopped by its sandbox: it made a system call that no decoder needs",
        ),
        None if ending.death() == Some(Death::Killed) => {
            (ErrorReason::ProcessKilled, "the process that decoded the file was killed")
        }
        None => (ErrorReason::DecoderCrashed, "the decoder crashed on the file"),
    };
    let failure = Failure::new(reason, cause);
    match ending.last_line {
        Some(line) => failure.with("decoder_said", line),
        None => failure,
    }
}

/// The failure of an upload in which FFmpeg found only audio tracks of these codecs.
pub(super) fn without_track(wanted: NonZero<u32>, codecs: &[String]) -> Failure {
    let (count, codecs) = (codecs.len(), codecs.join(", "));
    let cause = format!("there is no audio track {wanted}: the file has {count} ({codecs})");
    Failure::new(ErrorReason::ConfigInvalid, cause).with_remedy(CHOOSE_TRACK)
}

/// The failure of an upload that this program refuses and that FFmpeg got nothing out of.
pub(super) fn without_output(ffmpeg: Ending, refusal: Failure) -> Failure {
    if ffmpeg.limit.is_some() || ffmpeg.death().is_some() {
        return ended(ffmpeg);
    }
    match ffmpeg.last_line {
        Some(line) => refusal.with("decoder_said", line),
        None => refusal,
    }
}

/// The failure of a decoder that lacks a required part of its sandbox.
pub(super) fn unconfined(missing: &str) -> Failure {
    let cause = format!("the decoder refuses to run: this system has no {missing}");
    let remedy = "Use a kernel that has it, or start the server without --require-sandbox.";
    Failure::new(ErrorReason::DecoderSandbox, cause).with_remedy(remedy)
}

/// The failure of a decoder that its system refuses to confine.
pub(super) fn not_confined(error: &io::Error) -> Failure {
    if Shortage::of_start(error).is_some() {
        return Failure::of_start("the sandbox of the decoder", error);
    }
    let cause = format!("the decoder cannot be confined: {error}");
    Failure::new(ErrorReason::DecoderSandbox, cause)
}

/// The failure of a decoder that made no progress for longer than `limit`.
pub(super) fn stalled(limit: Duration) -> Failure {
    let seconds = limit.as_secs();
    let text = format!("the decoder made no progress on the file within {seconds} s");
    Failure::new(ErrorReason::DecoderLimit, text).with("limit_seconds", seconds)
}
