//! Appends to files without disk space for zeros.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// The unit in which file systems allocate.
const PAGE: usize = 4096;

/// Appends `bytes` at the end of `file`, where its position is. Pages of zeros are left out: they read as zeros and take no
/// disk space where the file system has holes. Returns the number of bytes written.
///
/// # Errors
/// I/O errors of the file.
pub fn append_sparse(file: &mut File, bytes: &[u8]) -> io::Result<u64> {
    let start = file.stream_position()?;
    let end = start + bytes.len() as u64;
    let (mut rest, mut pending) = (bytes, 0..0_usize);
    let mut written = 0;
    let mut skipped = false;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let offset = (start + at as u64) % PAGE as u64;
        let (page, after) = rest.split_at(rest.len().min(PAGE - offset as usize));
        rest = after;
        skipped = page.iter().all(|&byte| byte == 0);
        if !skipped {
            pending = if pending.end == at { pending.start } else { at }..at + page.len();
        }
        // Neighbouring pages are written at once.
        if !pending.is_empty() && (skipped || rest.is_empty()) {
            file.seek(SeekFrom::Start(start + pending.start as u64))?;
            file.write_all(&bytes[pending.clone()])?;
            written += pending.len() as u64;
            pending = 0..0;
        }
    }
    if skipped {
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of (value, bytes), appended one by one after a header of 94 bytes.
    #[track_caller]
    fn check(pieces: &[(u8, usize)], written: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(&[7; 94]).unwrap();
        let mut expected = vec![7; 94];
        let mut found = 0;
        for &(value, count) in pieces {
            let bytes = vec![value; count];
            found += append_sparse(&mut file, &bytes).unwrap();
            expected.extend(bytes);
        }
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        assert_eq!(found, written);
        // The file continues behind the hole.
        file.write_all(b"end").unwrap();
        expected.extend(b"end");
        assert_eq!(std::fs::read(&path).unwrap(), expected);
    }

    #[test]
    fn pages_of_zeros_are_holes_and_read_as_zeros() {
        check(&[(1, 10_000)], 10_000);
        check(&[(0, 10_000)], 0);
        check(&[(1, 100), (0, 20_000), (2, 50)], 150);
        check(&[(0, 5), (3, 5), (0, 5)], 5);
        check(&[], 0);
    }

    #[test]
    fn zeros_beside_samples_are_written_with_their_page() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let mut bytes = vec![0; 6 * PAGE];
        bytes[PAGE + 9] = 1;
        bytes[2 * PAGE] = 2;
        bytes[5 * PAGE] = 3;
        assert_eq!(append_sparse(&mut file, &bytes).unwrap(), 3 * PAGE as u64);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_megabyte_of_zeros_takes_no_space() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        append_sparse(&mut File::create(&path).unwrap(), &vec![0; 1 << 20]).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), crate::files::allocated_bytes(&metadata)), (1 << 20, 0));
    }
}
