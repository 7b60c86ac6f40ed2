//! A child process that cannot outlive its owner.

use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ending::Ending;
use super::stderr::ChildStderr;
use super::{GRACE, poll};

/// A running child process. Dropping it kills the process, waits for its end, and joins the thread that reads its
/// standard error.
pub(crate) struct ChildProcess {
    child: Mutex<Child>,
    stderr: ChildStderr,
}

impl ChildProcess {
    /// Starts `command` with piped standard streams. Returns the process, its standard input and its standard
    /// output.
    ///
    /// # Errors
    /// The process or the thread that reads its standard error cannot be started.
    pub(crate) fn start(
        command: &mut Command,
    ) -> io::Result<(ChildProcess, ChildStdin, ChildStdout)> {
        let process =
            ChildProcess::start_on_streams(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let streams = {
            let mut child = process.child();
            (child.stdin.take(), child.stdout.take())
        };
        let (Some(stdin), Some(stdout)) = streams else { return Err(no_streams()) };
        Ok((process, stdin, stdout))
    }

    /// Starts `command` on the standard input and output that it was given, and with a piped standard error.
    ///
    /// # Errors
    /// The process or the thread that reads its standard error cannot be started.
    pub(crate) fn start_on_streams(command: &mut Command) -> io::Result<ChildProcess> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take();
        // From here on every way out kills the child.
        let mut process = ChildProcess { child: Mutex::new(child), stderr: ChildStderr::default() };
        process.stderr.follow(stderr.ok_or_else(no_streams)?)?;
        Ok(process)
    }

    /// Kills the process if it still runs.
    pub(crate) fn kill(&self) {
        // The error of a process that has ended by itself.
        let _ = self.child().kill();
    }

    /// How the process ended, once its output has closed. A process that still runs after [`GRACE`] is killed.
    pub(crate) fn ending(&self) -> Ending {
        self.ending_within(GRACE)
    }

    /// The same for a process that may take until `limit` to end.
    pub(crate) fn ending_within(&self, limit: Duration) -> Ending {
        let status = self.wait(limit);
        if matches!(status, Ok(None)) {
            self.kill();
        }
        Ending::new(status, &self.stderr.read())
    }

    /// The beginning of its standard error, as far as it has been written.
    pub(crate) fn stderr_head(&self) -> String {
        String::from_utf8_lossy(&self.stderr.head()).into_owned()
    }

    /// Waits up to `limit` for the end of the process.
    fn wait(&self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        poll(limit, || self.child().try_wait().transpose()).transpose()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> u32 {
        self.child().id()
    }
}

fn no_streams() -> io::Error {
    io::Error::other("the child process has no standard streams")
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
        // A process that hangs in a driver stays even when it is killed; it is left behind.
        let _ = self.wait(GRACE);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::process::Limit;

    fn shell(script: &str) -> (ChildProcess, ChildStdin, ChildStdout) {
        ChildProcess::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn is_running(id: u32) -> bool {
        let status =
            Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status();
        status.unwrap().success()
    }

    #[test]
    fn the_streams_belong_to_the_child() {
        let (process, mut stdin, mut stdout) =
            shell("read line; echo \"$line\"; echo last >&2; exit 3");
        stdin.write_all(b"hello\n").unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        assert_eq!(process.ending().to_string(), "ended with exit status: 3: last");
    }

    #[test]
    fn a_dropped_process_ends() {
        let (process, _stdin, _stdout) = shell("exec sleep 600");
        let id = process.id();
        assert!(is_running(id));
        drop(process);
        assert!(!is_running(id), "process {id} still runs");
    }

    #[test]
    fn a_process_that_closes_its_output_and_runs_on_is_killed() {
        let (process, _stdin, mut stdout) = shell("echo busy >&2; exec sleep 600 >&-");
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(process.ending().to_string(), "closed its output and did not end: busy");
        assert!(process.wait(GRACE).unwrap().is_some(), "it still runs");
    }

    #[test]
    fn a_limit_of_the_system_is_recognised() {
        let (process, _stdin, _stdout) = shell("kill -XCPU $$");
        assert_eq!(process.ending().limit, Some(Limit::CpuTime));
        let (process, _stdin, _stdout) = shell("kill -SYS $$");
        assert_eq!(process.ending().limit, Some(Limit::SystemCall));
        let (process, _stdin, _stdout) = shell("kill -SEGV $$");
        assert_eq!(process.ending().limit, None);
    }
}
