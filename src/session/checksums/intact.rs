//! How far stems are as they were committed.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crc32c::crc32c;

use super::damage::{Damage, missing_is_damage};
use super::{BLOCK, BLOCK_BYTES, Checksums, ENTRY_BYTES};
use crate::audio::Encoding;
use crate::audio::Frames;
use crate::audio::wav::{HEADER_BYTES, frame_bytes};

/// The frames in front of the first damaged block of any stem.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Intact {
    /// How many.
    pub frames: Frames,
    /// Their checksums.
    pub checksums: Checksums,
}

/// Compares the first `frames` frames of the stem files with what was `committed` of them. `rows` is the file of rows; where
/// it is damaged, too, nothing counts as intact.
///
/// # Errors
/// I/O errors of the files; a stem that is missing or too short is damaged.
pub fn intact(
    rows: &Path,
    committed: &Checksums,
    stems: &[PathBuf],
    frames: Frames,
) -> io::Result<Intact> {
    let blocks = (frames.0 / BLOCK.0) as usize;
    let mut known = match fs::read(rows) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    known.truncate(blocks * stems.len() * ENTRY_BYTES);
    if crc32c(&known) != committed.rows || committed.tails.len() != stems.len() {
        return Ok(Intact::default());
    }
    let row = |block: usize, stem: usize| {
        let at = (block * stems.len() + stem) * ENTRY_BYTES;
        let bytes = known.get(at..at + ENTRY_BYTES)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    // A tail counts as one block more.
    let mut whole = blocks + 1;
    for (index, path) in stems.iter().enumerate() {
        let expected =
            |block| if block < blocks { row(block, index) } else { Some(committed.tails[index]) };
        whole = match intact_blocks(path, frames, whole, expected) {
            Err(error) if Damage::in_error(&error).is_some() => 0,
            count => count?,
        };
    }
    if whole > blocks {
        return Ok(Intact { frames, checksums: committed.clone() });
    }
    let rows = crc32c(&known[..whole * stems.len() * ENTRY_BYTES]);
    let checksums = Checksums { rows, tails: vec![0; stems.len()] };
    Ok(Intact { frames: Frames(whole as u64 * BLOCK.0), checksums })
}

/// How many of the first `most` blocks of a stem of `frames` frames have the expected checksums. The last one has what is
/// left of the frames.
fn intact_blocks(
    path: &Path,
    frames: Frames,
    most: usize,
    expected: impl Fn(usize) -> Option<u32>,
) -> io::Result<usize> {
    let mut file = File::open(path).map_err(missing_is_damage(path))?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    let mut bytes = vec![0; BLOCK_BYTES];
    let mut left = frames;
    for block in 0..most {
        let count = left.min(BLOCK);
        left = left - count;
        let bytes = &mut bytes[..(count.0 * frame_bytes(Encoding::F32Le)) as usize];
        match file.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(block),
            read => read?,
        }
        if expected(block) != Some(crc32c(bytes)) {
            return Ok(block);
        }
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::checksums::{BlockSums, ChecksumFile};

    const FRAMES: Frames = Frames(3 * BLOCK.0 + 100);

    /// Two stems of [`FRAMES`] frames, and their checksums.
    fn stems(folder: &Path) -> (PathBuf, Checksums, Vec<PathBuf>) {
        let rows = folder.join("checksums");
        let paths: Vec<_> = ["a", "b"].iter().map(|name| folder.join(name)).collect();
        let mut sums = [BlockSums::default(), BlockSums::default()];
        let mut file = ChecksumFile::resume(&rows, &mut sums.each_mut(), None).unwrap();
        let bytes = FRAMES.0 * frame_bytes(Encoding::F32Le);
        for (seed, (path, sums)) in paths.iter().zip(&mut sums).enumerate() {
            let samples: Vec<u8> =
                (0..bytes).map(|at| (at as u8).wrapping_mul(31) ^ seed as u8).collect();
            sums.add(&samples);
            fs::write(path, [&vec![0; HEADER_BYTES as usize][..], &samples].concat()).unwrap();
        }
        let committed = file.append(&mut sums.each_mut()).unwrap();
        (rows, committed, paths)
    }

    #[test]
    fn frames_are_intact_up_to_the_first_damaged_block_of_any_stem() {
        let check = |damage: &dyn Fn(&[PathBuf], &Path), blocks: u64| {
            let folder = tempfile::tempdir().unwrap();
            let (rows, committed, paths) = stems(folder.path());
            damage(&paths, &rows);
            let found = intact(&rows, &committed, &paths, FRAMES).unwrap();
            assert_eq!(found.frames, Frames(blocks * BLOCK.0).min(FRAMES));
            // They are the checksums of what is left.
            if blocks > 0 {
                let again = intact(&rows, &found.checksums, &paths, found.frames).unwrap();
                assert_eq!(again, found);
            }
        };
        let flip = |path: &Path, at: usize| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        let cut = |path: &Path, bytes: u64| {
            File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
        };
        let header = HEADER_BYTES as usize;
        check(&|_, _| {}, 4);
        check(&|stems, _| flip(&stems[0], header), 0);
        check(&|stems, _| flip(&stems[1], header + BLOCK_BYTES + 9), 1);
        check(&|stems, _| flip(&stems[0], header + 3 * BLOCK_BYTES), 3);
        check(
            &|stems, _| {
                flip(&stems[0], header + 3 * BLOCK_BYTES - 1);
                flip(&stems[1], header + BLOCK_BYTES);
            },
            1,
        );
        check(&|stems, _| cut(&stems[0], 2 * BLOCK_BYTES as u64), 1);
        check(&|stems, _| fs::remove_file(&stems[1]).unwrap(), 0);
        check(&|stems, _| fs::rename(&stems[1], &stems[0]).unwrap(), 0);
        check(&|_, rows| flip(rows, 5), 0);
        check(&|_, rows| fs::remove_file(rows).unwrap(), 0);
    }
}
