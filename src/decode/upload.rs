//! What is decoded: bytes that may still be arriving.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of an upload that may still be growing.
///
/// Decoding reads where it has to: mostly onwards, and to and fro in an MP4. It never asks whether
/// the upload is complete already, so what it makes of the bytes cannot depend on when they came.
pub trait Upload: Send {
    /// Reads into `into` what lies at byte `offset`, waiting until at least one byte is there;
    /// 0 once the upload is complete and ends at or before `offset`.
    ///
    /// Any error ends the decoding with [`DecodeError::Io`](super::DecodeError::Io); that is also
    /// how whoever waits here is called off.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

/// An upload that is all there: a file or a cursor.
#[derive(Debug)]
pub struct Complete<R>(pub R);

impl<R: Read + Seek + Send> Upload for Complete<R> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self.0.seek(SeekFrom::Start(offset)) {
            // Headers name any place, and a file system knows how long files can be.
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
    fn nothing_lies_beyond_any_end() {
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let mut upload = Complete(file);
        let mut byte = [0];
        assert_eq!(upload.read_at(0, &mut byte).unwrap(), 1);
        for offset in [1 << 40, i64::MAX as u64, u64::MAX] {
            assert_eq!(upload.read_at(offset, &mut byte).unwrap(), 0);
        }
    }
}
