//! How a child process ended.

use std::fmt;
use std::io;
use std::process::ExitStatus;

/// How a child process ended, as far as that is known.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Exit code or signal; `None` if it closed its output but did not end.
    status: io::Result<Option<ExitStatus>>,
    /// The limit that it reached.
    pub(crate) limit: Option<Limit>,
    /// The last line of its standard error, or the line that reports the limit; without control characters.
    pub(crate) last_line: Option<String>,
}

/// A limit that ends a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// An allocation failed.
    Memory,
    /// Its processor time is used up.
    CpuTime,
    /// It made a system call that its sandbox ends it for.
    SystemCall,
}

/// How a signal ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Its own fault, with the name of the signal, such as `SIGSEGV`.
    Fault(&'static str),
    /// It was ended from outside.
    Killed,
}

/// How the message of a Rust program begins whose allocation failed.
const ALLOCATION_FAILED: &str = "memory allocation of ";

/// Characters kept of a line.
const LINE_CHARS: usize = 300;

impl Ending {
    /// Classifies an exit status, given the end of standard error.
    pub(super) fn new(status: io::Result<Option<ExitStatus>>, stderr: &[u8]) -> Ending {
        let text = String::from_utf8_lossy(stderr);
        let no_memory = text.lines().find(|line| line.starts_with(ALLOCATION_FAILED));
        let limit = match &status {
            _ if no_memory.is_some() => Some(Limit::Memory),
            Ok(Some(status)) => limit_of(*status),
            _ => None,
        };
        // A panic message is followed by Rust's advice on backtraces.
        let is_message = |line: &&str| !line.is_empty() && !line.starts_with("note: ");
        let last = no_memory.or_else(|| text.lines().map(str::trim).rfind(is_message));
        let last_line =
            last.map(|line| line.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect());
        Ending { status, limit, last_line }
    }

    /// Whether the process ended by itself and reports success.
    pub(crate) fn is_success(&self) -> bool {
        matches!(&self.status, Ok(Some(status)) if status.success())
    }

    /// How a signal ended it, if one did that tells.
    pub(crate) fn death(&self) -> Option<Death> {
        death_of((*self.status.as_ref().ok()?)?)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            Ok(Some(status)) => write!(f, "ended with {status}")?,
            Ok(None) => f.write_str("closed its output and did not end")?,
            Err(error) => write!(f, "cannot be waited for: {error}")?,
        }
        match &self.last_line {
            Some(line) => write!(f, ": {line}"),
            None => Ok(()),
        }
    }
}

/// The limit for which the system ends a process so.
#[cfg(unix)]
fn limit_of(status: ExitStatus) -> Option<Limit> {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;

    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => Some(Limit::CpuTime),
        Some(signal) if signal == Signal::SYS.as_raw() => Some(Limit::SystemCall),
        _ => None,
    }
}

#[cfg(not(unix))]
fn limit_of(_: ExitStatus) -> Option<Limit> {
    None
}

#[cfg(unix)]
fn death_of(status: ExitStatus) -> Option<Death> {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;

    let signal = status.signal()?;
    let deaths = [
        (Signal::SEGV, Death::Fault("SIGSEGV")),
        (Signal::ABORT, Death::Fault("SIGABRT")),
        (Signal::BUS, Death::Fault("SIGBUS")),
        (Signal::ILL, Death::Fault("SIGILL")),
        (Signal::FPE, Death::Fault("SIGFPE")),
        (Signal::KILL, Death::Killed),
        (Signal::TERM, Death::Killed),
        (Signal::INT, Death::Killed),
        (Signal::HUP, Death::Killed),
        (Signal::QUIT, Death::Killed),
    ];
    deaths.into_iter().find(|(known, _)| known.as_raw() == signal).map(|(_, death)| death)
}

#[cfg(not(unix))]
fn death_of(_: ExitStatus) -> Option<Death> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(stderr: &str) -> Ending {
        Ending::new(Ok(None), stderr.as_bytes())
    }

    #[track_caller]
    fn check(stderr: &str, expected: Option<&str>) {
        assert_eq!(ending(stderr).last_line.as_deref(), expected);
    }

    #[test]
    fn the_last_line_with_a_message_is_kept() {
        check("first\n  what():  no device \n\n", Some("what():  no device"));
        let panic =
            "thread 'main' panicked at x.rs:1:\nout of luck\nnote: run with `RUST_BACKTRACE=1`\n";
        check(panic, Some("out of luck"));
        check("\x1b[31mred\x07\n", Some("[31mred"));
        check(" \n\n", None);
        assert_eq!(ending(&"x".repeat(999)).last_line.unwrap().len(), LINE_CHARS);
    }

    #[test]
    fn a_failed_allocation_is_a_limit() {
        let crash = ending("memory allocation of 99 bytes failed\nstack backtrace:\n");
        assert_eq!(crash.limit, Some(Limit::Memory));
        assert_eq!(crash.last_line.as_deref(), Some("memory allocation of 99 bytes failed"));
        assert_eq!(ending("no memory allocation of note\n").limit, None);
    }
}
