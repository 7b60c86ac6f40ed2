//! The process that measures a candidate, seen from its parent.

use std::io::{self, BufRead, Write};
use std::process::{ChildStdin, Command};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::child::MARK;
use crate::engine::marked_lines::{next_line, read_samples};
use crate::process::{ChildProcess, Messages};

/// The largest answer that is accepted, in bytes: 64 stems of the longest segment in use.
const MAX_STEMS_BYTES: usize = 1 << 30;

/// A process that measures a candidate. Dropping it kills the process.
pub(super) struct CandidateProcess {
    // Dropped in this order: the process before the thread that reads its output.
    child: ChildProcess,
    input: Option<ChildStdin>,
    messages: Messages<CandidateMessage>,
}

/// A message from the process.
#[derive(Debug)]
pub(super) enum CandidateMessage {
    /// It has loaded the model.
    Loaded,
    /// It has separated the segment for the first time: the samples, one plane after the other.
    Ready(Vec<f32>),
    /// It has separated the segment again, in this time.
    Took(Duration),
    /// It cannot, for this reason.
    Failed(String),
}

impl CandidateProcess {
    /// Starts the process.
    ///
    /// # Errors
    /// The process or its threads cannot be started.
    pub(super) fn start(command: &mut Command) -> io::Result<CandidateProcess> {
        let (child, input, output) = ChildProcess::start(command)?;
        let messages = Messages::start("autotune", output, next)?;
        Ok(CandidateProcess { child, input: Some(input), messages })
    }

    /// Requests another separation of the segment.
    pub(super) fn request(&mut self) {
        if let Some(input) = &mut self.input {
            // If the process has ended, `receive` reports it.
            let _ = input.write_all(b"run\n").and_then(|()| input.flush());
        }
    }

    /// The next message. `what` is the work that it reports, for the text of a time-out.
    ///
    /// # Errors
    /// The reason, in words, why there is none within `limit`. The process must not be used after an error: a late
    /// message answers nothing.
    pub(super) fn receive(
        &mut self,
        what: &str,
        limit: Duration,
    ) -> Result<CandidateMessage, String> {
        match self.messages.receive(limit) {
            Ok(CandidateMessage::Failed(reason)) => Err(reason),
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not {what} within {} s", limit.as_secs_f32()))
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.input = None;
                Err(format!("its process {}", self.child.ending()))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Reads the next message; `None` at the end of the output.
fn next(output: &mut impl BufRead) -> Option<CandidateMessage> {
    let text = next_line(output, MARK)?;
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let number = rest.parse::<u64>();
    Some(match (word, number) {
        ("loaded", _) => CandidateMessage::Loaded,
        ("ready", Ok(count)) if count <= MAX_STEMS_BYTES as u64 => {
            CandidateMessage::Ready(read_samples(output, count as usize)?)
        }
        ("took", Ok(nanoseconds)) => CandidateMessage::Took(Duration::from_nanos(nanoseconds)),
        ("failed", _) => CandidateMessage::Failed(rest.to_owned()),
        _ => CandidateMessage::Failed(format!("its process wrote {text:?}, which is no message")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_lines_belong_to_the_protocol() {
        let mut text = format!(
            "took note of a cache\nfailed to find one\nready 4\nunfinished\n{MARK}loaded\nloaded x"
        )
        .into_bytes();
        text.extend(vec![b'x'; 3 * (64 << 10)]);
        text.extend(format!("\n\n{MARK}took 7\r\n{MARK}ready 4\n").into_bytes());
        text.extend(1.5f32.to_le_bytes());
        text.extend(format!("{MARK}took long\n{MARK}ready {}\n", MAX_STEMS_BYTES + 1).into_bytes());
        let mut output = &text[..];
        assert!(matches!(next(&mut output), Some(CandidateMessage::Loaded)));
        assert!(
            matches!(next(&mut output), Some(CandidateMessage::Took(time)) if time.as_nanos() == 7)
        );
        assert!(
            matches!(next(&mut output), Some(CandidateMessage::Ready(stems)) if stems == [1.5])
        );
        for word in ["took long", "ready 1073741825"] {
            let message = next(&mut output);
            assert!(
                matches!(&message, Some(CandidateMessage::Failed(reason)) if reason.contains(word)),
                "{message:?}"
            );
        }
        assert!(next(&mut output).is_none());
    }
}
