//! Files that are made from stems and kept: each has the checksums of its blocks in a file beside it, so that no damaged byte
//! is delivered. What is damaged is removed, and made again when it is asked for.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksums::{Damage, extend, missing_is_damage};
use crate::files;

/// Bytes of a block.
const BLOCK_BYTES: u64 = 256 << 10;

/// Bytes of a checksum: CRC32C, in little-endian order.
const ENTRY_BYTES: usize = 4;

/// A complete file, and the checksums that it had when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedFile {
    path: PathBuf,
    bytes: u64,
    /// Of each block, after the names of the session and the file: an exchanged file does not match.
    checksums: Arc<[u32]>,
}

impl CachedFile {
    /// The file at `path`; `None` if there is none with checksums.
    pub fn find(path: PathBuf) -> Option<CachedFile> {
        let bytes = fs::metadata(&path).ok()?.len();
        let stored = fs::read(checksums_path(&path)).ok()?;
        let entries = stored.chunks_exact(ENTRY_BYTES);
        let checksums: Arc<[u32]> = entries
            .map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]))
            .collect();
        let is_whole = bytes.div_ceil(BLOCK_BYTES) == checksums.len() as u64;
        is_whole.then_some(CachedFile { path, bytes, checksums })
    }

    /// Gives the complete file `part` the name `path`, after its checksums.
    ///
    /// # Errors
    /// I/O errors of the folder.
    pub fn publish(part: &Path, path: PathBuf) -> io::Result<CachedFile> {
        let mut file = File::open(part)?;
        let (mut checksums, mut bytes) = (Vec::new(), 0);
        loop {
            let mut block = Vec::new();
            file.by_ref().take(BLOCK_BYTES).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            checksums.push(extend(seed(&path), &block));
            bytes += block.len() as u64;
        }
        let stored: Vec<u8> = checksums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        files::replace(&checksums_path(&path), &stored)?;
        files::publish(part, &path)?;
        Ok(CachedFile { path, bytes, checksums: checksums.into() })
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes from `first` on, of one block and before `end`. None at the end of the file.
    ///
    /// # Errors
    /// [`Damage`] if they differ from their checksum: then the file has been removed. I/O errors of the file.
    pub fn read(&self, first: u64, end: u64) -> io::Result<Vec<u8>> {
        let end = end.min(self.bytes);
        if first >= end {
            return Ok(Vec::new());
        }
        let index = first / BLOCK_BYTES;
        let start = index * BLOCK_BYTES;
        let mut block = vec![0; (self.bytes - start).min(BLOCK_BYTES) as usize];
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut block)
        });
        let read = read.map_err(missing_is_damage(&self.path));
        let expected = self.checksums.get(index as usize).copied();
        match read {
            Ok(()) if expected == Some(extend(seed(&self.path), &block)) => {}
            Err(error) if Damage::in_error(&error).is_none() => return Err(error),
            _ => return Err(self.remove().into()),
        }
        block.truncate((end - start).min(block.len() as u64) as usize);
        Ok(block.split_off((first - start) as usize))
    }

    /// Removes the damaged file, so that the next request makes it again.
    fn remove(&self) -> Damage {
        tracing::error!(file = %self.path.display(), "a file made from stems is damaged, and is removed");
        for path in [&self.path, &checksums_path(&self.path)] {
            // What cannot be removed is found to be damaged again.
            let _ = fs::remove_file(path);
        }
        Damage { recomputing: true, ..Damage::of(&self.path) }
    }
}

fn checksums_path(path: &Path) -> PathBuf {
    path.with_added_extension("crc32c")
}

/// The checksum of what a file is: its session and its name.
fn seed(path: &Path) -> u32 {
    path.iter().rev().take(3).fold(0, |sum, name| extend(sum, name.as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than two blocks.
    const BYTES: u64 = 2 * BLOCK_BYTES + 777;

    fn content(seed: u8) -> Vec<u8> {
        (0..BYTES).map(|at| (at as u8).wrapping_mul(31) ^ seed).collect()
    }

    fn publish(folder: &Path, name: &str, seed: u8) -> CachedFile {
        let part = folder.join("part");
        fs::write(&part, content(seed)).unwrap();
        CachedFile::publish(&part, folder.join(name)).unwrap()
    }

    fn read(file: &CachedFile, first: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        loop {
            let bytes = file.read(first + found.len() as u64, end)?;
            if bytes.is_empty() {
                return Ok(found);
            }
            found.extend(bytes);
        }
    }

    #[test]
    fn every_part_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = publish(folder.path(), "a", 1);
        let found = CachedFile::find(folder.path().join("a")).unwrap();
        assert_eq!((&found, found.bytes()), (&made, BYTES));
        for (first, end) in [
            (0, BYTES),
            (5, 6),
            (BLOCK_BYTES - 1, BLOCK_BYTES + 1),
            (BLOCK_BYTES, u64::MAX),
            (BYTES, BYTES),
        ] {
            let expected = &content(1)[first as usize..end.min(BYTES) as usize];
            assert!(read(&found, first, end).unwrap() == expected, "{first} to {end}");
        }
    }

    #[test]
    fn damaged_and_exchanged_files_are_removed_rather_than_read() {
        let check = |damage: &dyn Fn(&Path, &Path)| {
            let folder = tempfile::tempdir().unwrap();
            let made = publish(folder.path(), "a", 1);
            publish(folder.path(), "b", 2);
            let path = folder.path().join("a");
            damage(&path, &folder.path().join("b"));
            // Of a request that had found it before, and of a later one.
            for file in [Some(made), CachedFile::find(path.clone())].into_iter().flatten() {
                let error = read(&file, 0, BYTES).unwrap_err();
                assert!(Damage::in_error(&error).is_some(), "{error}");
            }
            assert_eq!(CachedFile::find(path), None);
            publish(folder.path(), "a", 1);
            let made = CachedFile::find(folder.path().join("a")).unwrap();
            assert!(read(&made, 0, BYTES).unwrap() == content(1));
        };
        let flip = |path: &Path, at: u64| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at as usize] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        let cut = |path: &Path, bytes: u64| {
            File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
        };
        check(&|path, _| flip(path, 0));
        check(&|path, _| flip(path, BYTES - 1));
        check(&|path, _| cut(path, BYTES - 1));
        check(&|path, _| cut(path, BLOCK_BYTES));
        check(&|path, _| fs::remove_file(path).unwrap());
        check(&|path, other| fs::rename(other, path).unwrap());
        check(&|path, other| {
            fs::rename(checksums_path(other), checksums_path(path)).unwrap();
            fs::rename(other, path).unwrap();
        });
    }

    #[test]
    fn a_file_whose_checksums_are_damaged_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        publish(folder.path(), "a", 1);
        fs::write(checksums_path(&path), [0; 3 * ENTRY_BYTES]).unwrap();
        assert!(CachedFile::find(path.clone()).unwrap().read(0, 1).is_err());
        // One of an earlier version has none.
        fs::write(&path, content(1)).unwrap();
        assert_eq!(CachedFile::find(path), None);
    }
}
