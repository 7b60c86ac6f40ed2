//! Why a decoder ended that did not say so itself.

use std::io::Read;
use std::process::{ChildStderr, ExitStatus};

use crate::session::{Failure, Reason};

/// What to say about a child that ended without a word.
pub(super) fn crash(mut stderr: ChildStderr, how: Option<ExitStatus>) -> Failure {
    let mut said = Vec::new();
    // What it said last is only a help; without it the failure is told all the same.
    let _ = stderr.by_ref().take(64 * 1024).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    let no_memory = said.lines().find(|line| line.starts_with(OUT_OF_MEMORY));
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let last = no_memory.or(last).unwrap_or("").trim();
    let (reason, cause) = if no_memory.is_some() {
        (Reason::DecoderLimit, "this file wants more memory than a decoder may have")
    } else if how.is_some_and(out_of_time) {
        (Reason::DecoderLimit, "this file takes more processor time than a decoder may have")
    } else {
        (Reason::DecoderCrashed, "the decoder crashed on this file")
    };
    let text = format!("{cause}; convert it, for example to FLAC or WAV, and send that");
    let failure = Failure::new(reason, text);
    if last.is_empty() { failure } else { failure.with("decoder_said", last) }
}

/// How the words of a Rust program begin that gets no more memory.
const OUT_OF_MEMORY: &str = "memory allocation of ";

/// Whether the system ended a process because its processor time was over.
#[cfg(unix)]
fn out_of_time(how: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    how.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn out_of_time(_: ExitStatus) -> bool {
    false
}
