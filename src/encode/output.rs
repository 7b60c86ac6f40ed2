//! Where encoders write.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::files::append_sparse;

/// Where an encoder writes.
pub enum Output {
    /// A file: what is known only at the end is written back. Passages of zeros take no disk space.
    File(File),
    /// A stream: bytes that were written are gone.
    Stream(Box<dyn Write + Send>),
}

impl Output {
    /// Creates a file, which must not exist.
    ///
    /// # Errors
    /// I/O errors; `AlreadyExists` if the file exists.
    pub fn create(path: &Path) -> io::Result<Output> {
        OpenOptions::new().write(true).create_new(true).open(path).map(Output::File)
    }

    /// Replaces bytes from the offset `at` on, which were written before. `false`, and nothing changes, if this is a stream.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<bool> {
        let Output::File(file) = self else { return Ok(false) };
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(true)
    }

    /// Flushes a stream, or syncs a file to the disk.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Output::File(file) => file.sync_all(),
            Output::Stream(mut stream) => stream.flush(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::File(file) => append_sparse(file, bytes).map(|_| bytes.len()),
            Output::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::File(file) => file.flush(),
            Output::Stream(stream) => stream.flush(),
        }
    }
}
