//! The upload as received: new bytes are appended, repeated ones compared.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::SessionError;

/// The upload of a session. The file is opened for each write: a store may have more sessions than a process may have
/// open files.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    len: u64,
}

impl Spool {
    /// Opens the file at `path`, which is created if it does not exist.
    pub fn open(path: PathBuf) -> io::Result<Spool> {
        let len = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                File::create(&path)?;
                0
            }
            Err(error) => return Err(error),
        };
        Ok(Spool { path, len })
    }

    /// Number of bytes stored.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no byte is stored.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes `bytes` at `offset` and returns the new length. Bytes that are stored already must be equal. On an error
    /// nothing is added.
    ///
    /// # Errors
    /// `Gap`, `Conflict`, `UploadTooLarge` beyond `limit` bytes, `Storage`.
    pub fn add(&mut self, offset: u64, bytes: &[u8], limit: u64) -> Result<u64, SessionError> {
        if offset > self.len {
            return Err(SessionError::Gap { offset, committed: self.len });
        }
        let held = usize::try_from(self.len - offset).unwrap_or(usize::MAX).min(bytes.len());
        let (repeated, new) = bytes.split_at(held);
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        if !holds(&mut file, offset, repeated)? {
            return Err(SessionError::Conflict { offset });
        }
        if new.is_empty() {
            return Ok(self.len);
        }
        if self.len + new.len() as u64 > limit {
            return Err(SessionError::UploadTooLarge { limit });
        }
        file.seek(SeekFrom::Start(self.len))?;
        if let Err(error) = file.write_all(new) {
            // A part may have been written; the client sends the whole chunk again.
            file.set_len(self.len)?;
            return Err(error.into());
        }
        self.len += new.len() as u64;
        Ok(self.len)
    }

    /// Syncs the file to disk.
    pub fn sync(&self) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.path)?.sync_data()
    }
}

/// Whether the file has these bytes at `offset`.
fn holds(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<bool> {
    file.seek(SeekFrom::Start(offset))?;
    let mut buffer = [0; 16 * 1024];
    for piece in bytes.chunks(buffer.len()) {
        let held = &mut buffer[..piece.len()];
        file.read_exact(held)?;
        if held != piece {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(adds: &[(u64, &str, Result<u64, &str>)], contents: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upload");
        for (offset, bytes, expected) in adds {
            // Opened anew each time: a restart changes nothing.
            let mut spool = Spool::open(path.clone()).unwrap();
            let added = spool.add(*offset, bytes.as_bytes(), 10).map_err(|error| error.to_string());
            match (added, expected) {
                (Ok(len), Ok(expected)) => assert_eq!(len, *expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (added, _) => panic!("{bytes:?} at {offset}: {added:?}"),
            }
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), contents);
    }

    #[test]
    fn chunks_are_added_once_and_without_gaps() {
        check(&[(0, "abc", Ok(3)), (3, "def", Ok(6))], "abcdef");
        check(&[(0, "abc", Ok(3)), (0, "abc", Ok(3)), (1, "bcd", Ok(4))], "abcd");
        check(&[(0, "abc", Ok(3)), (4, "x", Err("3 bytes are held"))], "abc");
        check(&[(0, "abc", Ok(3)), (1, "bX", Err("another file"))], "abc");
        check(&[(0, "abc", Ok(3)), (1, "bXd", Err("another file"))], "abc");
        check(
            &[(0, "12345678", Ok(8)), (8, "90", Ok(10)), (10, "x", Err("10 bytes"))],
            "1234567890",
        );
        check(&[(0, "", Ok(0))], "");
    }
}
