//! A decoder opens its upload by the path that is an argument of it; its standard input and output are pipes.

use std::fs::File;
use std::io::{self, Stdin, Stdout};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use super::ChildEnd;
use crate::process::ChildProcess;

pub(in crate::separation::decoder) type ToChild = ChildStdin;
pub(in crate::separation::decoder) type FromChild = ChildStdout;
pub(in crate::separation::decoder) type FromParent = Stdin;
pub(in crate::separation::decoder) type ToParent = Stdout;

/// A file without bytes.
pub(in crate::separation::decoder) const EMPTY_FILE: &str = "NUL";

/// Starts a decoder of `upload`.
///
/// # Errors
/// The process cannot be started.
pub(in crate::separation::decoder) fn start(
    mut command: Command,
    upload: &Path,
) -> io::Result<(ChildProcess, ToChild, FromChild)> {
    ChildProcess::start(command.arg("--upload").arg(upload))
}

/// Fails: a decoder opens its upload by its path.
///
/// # Errors
/// Always.
pub(in crate::separation::decoder) fn start_on(
    _: Command,
    _: impl Into<Stdio>,
) -> io::Result<(ChildProcess, FromChild)> {
    Err(io::ErrorKind::Unsupported.into())
}

impl ChildEnd {
    /// The end of this process, with the upload at `upload`.
    ///
    /// # Errors
    /// The upload cannot be opened.
    pub(in crate::separation::decoder) fn at(upload: &Path) -> io::Result<ChildEnd> {
        Ok(ChildEnd { upload: File::open(upload)?, lengths: io::stdin(), messages: io::stdout() })
    }
}
