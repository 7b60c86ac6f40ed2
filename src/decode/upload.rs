//! Access to the bytes of an upload that may still be arriving.

use std::io::{self, Read, Seek, SeekFrom};

/// Random access to the bytes of an upload that may still be growing.
///
/// Decoding reads mostly forwards; in an MP4 it jumps. There is no way to ask whether the upload is
/// complete, so that the result cannot depend on when the bytes arrived.
pub trait ReadAt: Send {
    /// Reads bytes from `offset` on into `into` and returns how many. Blocks until at least one byte
    /// is available; 0 means that the upload is complete and ends at or before `offset`.
    ///
    /// # Errors
    /// Any error ends the decoding with [`DecodeError::Io`](super::DecodeError::Io); returning one
    /// is also how a blocked decoder is cancelled.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

/// An upload that has arrived completely: a file or a cursor.
#[derive(Debug)]
pub struct Complete<R>(pub R);

impl<R: Read + Seek + Send> ReadAt for Complete<R> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self.0.seek(SeekFrom::Start(offset)) {
            // Headers may name any offset, and file systems refuse those beyond their limit.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(0),
            result => result?,
        };
        self.0.read(into)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn reading_beyond_the_end_returns_nothing() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let mut upload = Complete(file);
        let mut byte = [0];
        assert_eq!(upload.read_at(0, &mut byte).unwrap(), 1);
        for offset in [1 << 40, i64::MAX as u64, u64::MAX] {
            assert_eq!(upload.read_at(offset, &mut byte).unwrap(), 0);
        }
    }
}
