//! The standard input of a decoder is its upload, opened for reading; its standard output is a socket for both
//! directions.

use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ChildEnd;
use crate::process::ChildProcess;

/// The direction to the child. Dropping it ends that direction only.
pub(in crate::separation::decoder) struct ToChild(UnixStream);

pub(in crate::separation::decoder) type FromChild = UnixStream;
// Files: their calls are `read` and `write`, which is all that a sandbox allows on a socket.
pub(in crate::separation::decoder) type FromParent = File;
pub(in crate::separation::decoder) type ToParent = File;

/// A file without bytes.
pub(in crate::separation::decoder) const EMPTY_FILE: &str = "/dev/null";

/// Starts a decoder of `upload`. Takes the command, which holds the child's end of the socket open.
///
/// # Errors
/// The upload cannot be opened, or the process cannot be started.
pub(in crate::separation::decoder) fn start(
    command: Command,
    upload: &Path,
) -> io::Result<(ChildProcess, ToChild, FromChild)> {
    let (child, ours) = start_on(command, File::open(upload)?)?;
    let to_child = ToChild(ours.try_clone()?);
    Ok((child, to_child, ours))
}

/// Starts a decoder of what `upload` is the reading end of, to which no lengths are sent.
///
/// # Errors
/// The process cannot be started.
pub(in crate::separation::decoder) fn start_on(
    mut command: Command,
    upload: impl Into<Stdio>,
) -> io::Result<(ChildProcess, FromChild)> {
    let (ours, theirs) = UnixStream::pair()?;
    command.stdin(upload).stdout(OwnedFd::from(theirs));
    Ok((ChildProcess::start_on_streams(&mut command)?, ours))
}

impl Write for ToChild {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for ToChild {
    fn drop(&mut self) {
        // The error of a child that has ended.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl ChildEnd {
    /// The end that this process inherited.
    ///
    /// # Errors
    /// A standard stream is closed, or the process may have no more files open.
    pub(in crate::separation::decoder) fn inherited() -> io::Result<ChildEnd> {
        let socket = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(ChildEnd {
            upload: io::stdin().as_fd().try_clone_to_owned()?.into(),
            lengths: socket.try_clone()?,
            messages: socket,
        })
    }
}
