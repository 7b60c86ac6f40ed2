//! CRC32C of the committed frames of the stems, in blocks, so that damaged frames are found before they are delivered.
//!
//! All stems grow together. `stems/checksums` has a row for each whole block: a CRC32C of each stem in the plan's order, as
//! `u32` in little-endian order. Rows are appended and synced before the manifest, which commits to them: [`Checksums`]
//! covers the rows and the frames behind the last whole block. A manifest of 0.1.0 has none, and its stems are not
//! checked.

mod damage;
mod intact;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crc32c::{crc32c, crc32c_append};
use serde::{Deserialize, Serialize};

use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, Frames};

pub use damage::{Damage, missing_is_damage};
pub use intact::{Intact, intact};

/// Frames of a block: 256 KiB, which is what a reader reads at once.
pub const BLOCK: Frames = Frames(32_768);

/// Bytes of a block.
pub const BLOCK_BYTES: usize = (BLOCK.0 * frame_bytes(Encoding::F32Le)) as usize;

/// Bytes of one checksum in the file.
const ENTRY_BYTES: usize = 4;

/// Checksums of the committed frames of all stems.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksums {
    /// Of the rows in the file.
    pub rows: u32,
    /// Of each stem's frames behind the last whole block, in the plan's order.
    pub tails: Vec<u32>,
}

/// Length and CRC32C of the first bytes of a file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// Number of bytes.
    pub bytes: u64,
    /// Their CRC32C.
    pub crc32c: u32,
}

/// CRC32C of a stem's blocks while it is written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BlockSums {
    /// Of whole blocks that are not in the file yet.
    whole: Vec<u32>,
    tail: u32,
    tail_bytes: usize,
}

impl BlockSums {
    /// Adds samples, F32LE, as they are stored.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.tail_bytes));
            self.tail = crc32c_append(self.tail, taken);
            self.tail_bytes += taken.len();
            bytes = rest;
            if self.tail_bytes == BLOCK_BYTES {
                self.whole.push(std::mem::take(&mut self.tail));
                self.tail_bytes = 0;
            }
        }
    }
}

/// The file of rows while it is written.
#[derive(Debug)]
pub struct ChecksumFile {
    file: File,
    /// Of the rows written.
    rows: u32,
}

impl ChecksumFile {
    /// Replaces the file at `path` by the rows of `sums`, the stems as they are stored. `committed` are the checksums in the
    /// manifest, `None` where it has none.
    ///
    /// # Errors
    /// [`Damage`] of the folder, if they differ from `committed`; I/O errors.
    pub fn resume(
        path: &Path,
        sums: &mut [&mut BlockSums],
        committed: Option<&Checksums>,
    ) -> io::Result<ChecksumFile> {
        let rows = take_rows(sums);
        let found = Checksums { rows: crc32c(&rows), tails: tails(sums) };
        // Before anything is written: readers would take the rows for those of the commit.
        if committed.is_some_and(|committed| *committed != found) {
            return Err(Damage::of(path.parent().unwrap_or(path)).into());
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all(&rows)?;
        file.set_len(rows.len() as u64)?;
        file.sync_data()?;
        Ok(ChecksumFile { file, rows: found.rows })
    }

    /// Appends the rows of the blocks that have become whole, synced to disk. Returns the checksums for the manifest.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub fn append(&mut self, sums: &mut [&mut BlockSums]) -> io::Result<Checksums> {
        let rows = take_rows(sums);
        if !rows.is_empty() {
            self.file.write_all(&rows)?;
            self.file.sync_data()?;
            self.rows = crc32c_append(self.rows, &rows);
        }
        Ok(Checksums { rows: self.rows, tails: tails(sums) })
    }
}

/// The rows of the blocks that have become whole.
fn take_rows(sums: &mut [&mut BlockSums]) -> Vec<u8> {
    let count = sums.iter().map(|sums| sums.whole.len()).min().unwrap_or(0);
    let mut rows = Vec::with_capacity(count * sums.len() * ENTRY_BYTES);
    for index in 0..count {
        rows.extend(sums.iter().flat_map(|sums| sums.whole[index].to_le_bytes()));
    }
    for sums in sums {
        sums.whole.drain(..count);
    }
    rows
}

fn tails(sums: &[&mut BlockSums]) -> Vec<u32> {
    sums.iter().map(|sums| sums.tail).collect()
}

/// Where the expected checksums of a stem are.
#[derive(Debug, Clone, Copy)]
pub struct StemChecksums<'a> {
    /// The file of rows.
    pub path: &'a Path,
    /// The checksums in the manifest.
    pub committed: &'a Checksums,
    /// Index of the stem in the plan.
    pub stem: usize,
}

impl StemChecksums<'_> {
    /// Whether `bytes` are those that were committed of block `index`, which has all of its frames or is the last.
    ///
    /// # Errors
    /// I/O errors of the file of rows; one that is too short is damage.
    pub fn matches(&self, index: u64, bytes: &[u8]) -> io::Result<bool> {
        let expected = if bytes.len() == BLOCK_BYTES { self.row(index)? } else { self.tail() };
        Ok(expected == Some(crc32c(bytes)))
    }

    fn tail(&self) -> Option<u32> {
        self.committed.tails.get(self.stem).copied()
    }

    fn row(&self, index: u64) -> io::Result<Option<u32>> {
        let stems = self.committed.tails.len() as u64;
        let mut entry = [0; ENTRY_BYTES];
        let read = File::open(self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start((index * stems + self.stem as u64) * ENTRY_BYTES as u64))?;
            file.read_exact(&mut entry)
        });
        match read {
            Ok(()) => Ok(Some(u32::from_le_bytes(entry))),
            Err(error) => match missing_is_damage(self.path)(error) {
                error if Damage::in_error(&error).is_some() => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// Whether the file at `path` begins with these bytes.
///
/// # Errors
/// I/O errors of the file, `NotFound` if there is none.
pub fn begins_with(path: &Path, prefix: Prefix) -> io::Result<bool> {
    Ok(prefix_of(File::open(path)?, prefix.bytes)? == prefix)
}

/// Length and CRC32C of what `reader` yields, up to `most` bytes.
///
/// # Errors
/// Those of `reader`.
pub fn prefix_of(reader: impl Read, most: u64) -> io::Result<Prefix> {
    let mut reader = reader.take(most);
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut found = Prefix::default();
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(found),
            Ok(count) => {
                found.bytes += count as u64;
                found.crc32c = crc32c_append(found.crc32c, &buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// CRC32C of bytes, or of more bytes after those of `crc`.
pub fn extend(crc: u32, bytes: &[u8]) -> u32 {
    crc32c_append(crc, bytes)
}

#[cfg(test)]
mod tests;
