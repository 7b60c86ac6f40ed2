//! What has arrived of an upload, as a file that is read within a limit.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Bytes that are read in all. This bounds time and memory; pictures beside the texts are larger than these.
const MAX_BYTES: u64 = 32 << 20;

/// Bytes that are read at once, at least.
const BUFFER_BYTES: usize = 4096;

/// The first bytes of a file as a file of its own, of which a limited number is read.
pub(super) struct UploadPart<R> {
    inner: R,
    position: u64,
    length: u64,
    left: u64,
}

impl<R: Read + Seek> UploadPart<R> {
    /// The first `length` bytes of an upload, read in blocks.
    pub(super) fn buffered(upload: R, length: u64) -> BufReader<UploadPart<R>> {
        let part = UploadPart { inner: upload, position: 0, length, left: MAX_BYTES };
        BufReader::with_capacity(BUFFER_BYTES, part)
    }
}

impl<R: Read + Seek> Read for UploadPart<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("more is read than tags have"));
        }
        let most = self.length.saturating_sub(self.position).min(self.left).min(into.len() as u64);
        self.inner.seek(SeekFrom::Start(self.position))?;
        let count = self.inner.read(&mut into[..most as usize])?;
        self.position += count as u64;
        // A read costs time also where it yields little.
        self.left = self.left.saturating_sub(count.max(BUFFER_BYTES) as u64);
        Ok(count)
    }
}

impl<R> Seek for UploadPart<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        // Files refuse positions beyond this, too.
        let position = position.filter(|&position| position <= i64::MAX as u64);
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_part_ends_where_it_should_and_is_read_within_the_limit() {
        let mut part =
            UploadPart { inner: Cursor::new([7_u8; 100]), position: 0, length: 10, left: 8192 };
        assert_eq!(part.seek(SeekFrom::End(-4)).unwrap(), 6);
        let mut bytes = Vec::new();
        // The end takes a read of its own.
        part.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [7; 4]);
        assert!(part.read(&mut [0]).is_err());
        assert!(part.seek(SeekFrom::Current(-11)).is_err());
    }
}
