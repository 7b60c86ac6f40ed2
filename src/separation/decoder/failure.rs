//! Failures of a session whose decoder did not report one itself.

use std::time::Duration;

use crate::process::{Ending, Limit};
use crate::session::{Failure, Reason};

/// The failure of a decoder that ended without a last message.
pub(super) fn ended(ending: Ending) -> Failure {
    let (reason, cause) = match ending.limit {
        Some(Limit::Memory) => {
            (Reason::DecoderLimit, "the file needs more memory than a decoder may use")
        }
        Some(Limit::CpuTime) => {
            (Reason::DecoderLimit, "the file needs more processor time than a decoder may use")
        }
        None => (Reason::DecoderCrashed, "the decoder crashed on the file"),
    };
    let text = format!("{cause}; convert it, for example to FLAC or WAV, and send that");
    let failure = Failure::new(reason, text);
    match ending.last_line {
        Some(line) => failure.with("decoder_said", line),
        None => failure,
    }
}

/// The failure of a decoder that made no progress for longer than `limit`.
pub(super) fn stalled(limit: Duration) -> Failure {
    let seconds = limit.as_secs();
    let text = format!(
        "the decoder made no progress on the file within {seconds} s; convert it and send it again"
    );
    Failure::new(Reason::DecoderLimit, text).with("limit_seconds", seconds)
}
