//! Buffered reading from a position in an upload.

use std::io;

use super::upload::ReadAt;

/// Smallest read: more than the requested bytes may have arrived already.
const READ_BYTES: usize = 16 * 1024;
/// Largest growth of the buffer before the bytes have arrived: sizes in headers may be wrong.
const GROWTH_BYTES: usize = 256 * 1024;

/// A position in an upload and the buffered bytes around it.
///
/// A read blocks for exactly the bytes it requests, so that decoding follows the upload closely. It
/// returns fewer only at the end of the upload, so that nothing depends on the sizes in which the
/// bytes arrived.
pub(super) struct ByteReader {
    upload: Box<dyn ReadAt>,
    /// The bytes read last, from byte `start` of the upload on.
    buffer: Vec<u8>,
    start: u64,
    position: u64,
}

impl ByteReader {
    pub(super) fn new(upload: Box<dyn ReadAt>) -> ByteReader {
        ByteReader { upload, buffer: Vec::new(), start: 0, position: 0 }
    }

    /// Offset of the next byte from the start of the upload.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Sets the position. Beyond the end of the upload there are no bytes.
    pub(super) fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Advances by `count` bytes without waiting for them.
    pub(super) fn skip(&mut self, count: u64) {
        self.position = self.position.saturating_add(count);
    }

    /// The next `count` bytes, or fewer at the end of the upload, without advancing.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let buffered = self.start..=self.start + self.buffer.len() as u64;
        if !buffered.contains(&self.position) {
            // Not just cleared: it may have grown to the size of a whole table.
            self.buffer = Vec::new();
            self.start = self.position;
        }
        while self.ahead().len() < count {
            let passed = self.buffer.len() - self.ahead().len();
            self.buffer.drain(..passed);
            self.start = self.position;
            let held = self.buffer.len();
            let wanted = (count - held).clamp(READ_BYTES, GROWTH_BYTES);
            self.buffer.resize(held + wanted, 0);
            let read = self.read_upload(held);
            self.buffer.truncate(held + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                break;
            }
        }
        let ahead = self.ahead();
        Ok(&ahead[..count.min(ahead.len())])
    }

    /// The next `count` bytes, or fewer at the end of the upload; advances behind them.
    pub(super) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let taken = self.peek(count)?.to_vec();
        self.skip(taken.len() as u64);
        Ok(taken)
    }

    /// The next `N` bytes; advances behind them. `None`, without advancing, if the upload ends
    /// before.
    pub(super) fn array<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let array = self.peek(N)?.first_chunk::<N>().copied();
        if array.is_some() {
            self.skip(N as u64);
        }
        Ok(array)
    }

    /// Whether the position is at the end of the upload.
    pub(super) fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.peek(1)?.is_empty())
    }

    /// Advances to the end of the upload and returns by how many bytes.
    pub(super) fn drain(&mut self) -> io::Result<u64> {
        let from = self.position;
        loop {
            let count = self.peek(READ_BYTES)?.len() as u64;
            if count == 0 {
                return Ok(self.position - from);
            }
            self.skip(count);
        }
    }

    /// The buffered bytes from the position on.
    fn ahead(&self) -> &[u8] {
        let passed = usize::try_from(self.position - self.start).unwrap_or(usize::MAX);
        self.buffer.get(passed..).unwrap_or_default()
    }

    /// Reads from the upload into the buffer behind its first `held` bytes.
    fn read_upload(&mut self, held: usize) -> io::Result<usize> {
        let offset = self.start.saturating_add(held as u64);
        loop {
            match self.upload.read_at(offset, &mut self.buffer[held..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(|read| read.min(self.buffer.len() - held)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0, 1, 2, ... up to 200, three at a time at most.
    struct Dribble;

    impl ReadAt for Dribble {
        fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(3).min(200_u64.saturating_sub(offset) as usize);
            for (index, byte) in into[..count].iter_mut().enumerate() {
                *byte = offset as u8 + index as u8;
            }
            Ok(count)
        }
    }

    #[test]
    fn reads_are_as_long_as_requested_until_the_end() {
        let mut bytes = ByteReader::new(Box::new(Dribble));
        assert_eq!(bytes.peek(8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(bytes.array().unwrap(), Some([0, 1]));
        assert_eq!(bytes.take(3).unwrap(), [2, 3, 4]);
        bytes.seek(198);
        assert_eq!(bytes.peek(100).unwrap(), [198, 199]);
        assert_eq!(bytes.array::<3>().unwrap(), None);
        bytes.seek(1);
        assert_eq!(bytes.take(2).unwrap(), [1, 2]);
        assert_eq!(bytes.drain().unwrap(), 197);
        assert!(bytes.at_end().unwrap());
        bytes.seek(u64::MAX);
        assert!(bytes.take(4).unwrap().is_empty());
    }
}
