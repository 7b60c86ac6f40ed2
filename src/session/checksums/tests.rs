use super::*;

fn samples(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|index| (index as u8).wrapping_mul(31) ^ seed).collect()
}

/// The checksums of two stems of `bytes` bytes, committed in two steps.
fn written(path: &Path, bytes: usize) -> (Checksums, [Vec<u8>; 2]) {
    let stems = [samples(bytes, 1), samples(bytes, 2)];
    let mut sums = [BlockSums::default(), BlockSums::default()];
    let mut file = ChecksumFile::resume(path, &mut sums.each_mut(), None).unwrap();
    for range in [0..bytes / 3, bytes / 3..bytes] {
        for (sums, stem) in sums.iter_mut().zip(&stems) {
            sums.add(&stem[range.clone()]);
        }
        file.append(&mut sums.each_mut()).unwrap();
    }
    (file.append(&mut sums.each_mut()).unwrap(), stems)
}

#[test]
fn every_block_has_the_crc32c_of_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checksums");
    let bytes = 2 * BLOCK_BYTES + 8_000;
    let (committed, stems) = written(&path, bytes);
    let rows: Vec<u8> = [0, 1]
        .into_iter()
        .flat_map(|block| stems.iter().map(move |stem| (block, stem)))
        .flat_map(|(block, stem)| crc32c(&stem[block * BLOCK_BYTES..][..BLOCK_BYTES]).to_le_bytes())
        .collect();
    assert_eq!(std::fs::read(&path).unwrap(), rows);
    for (stem, bytes) in stems.iter().enumerate() {
        let checksums = StemChecksums { path: &path, committed: &committed, stem };
        for (index, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let mut block = block.to_vec();
            assert!(checksums.matches(index as u64, &block).unwrap());
            block[77] ^= 1;
            assert!(!checksums.matches(index as u64, &block).unwrap());
        }
    }
    std::fs::write(&path, &rows[..8]).unwrap();
    let cut = StemChecksums { path: &path, committed: &committed, stem: 0 };
    assert!(!cut.matches(1, &stems[0][BLOCK_BYTES..2 * BLOCK_BYTES]).unwrap());
}

#[test]
fn stems_resume_only_as_they_were_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checksums");
    let (committed, stems) = written(&path, 3 * BLOCK_BYTES - 80);
    let rows = std::fs::read(&path).unwrap();
    let resume = |stems: &[Vec<u8>; 2]| {
        let mut sums = [BlockSums::default(), BlockSums::default()];
        sums.iter_mut().zip(stems).for_each(|(sums, stem)| sums.add(stem));
        ChecksumFile::resume(&path, &mut sums.each_mut(), Some(&committed)).map(|_| ())
    };
    // A damaged file of rows is replaced.
    std::fs::write(&path, b"damaged").unwrap();
    resume(&stems).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), rows);
    for at in [5, 2 * BLOCK_BYTES + 5] {
        let mut damaged = stems.clone();
        damaged[1][at] ^= 0x10;
        let error = resume(&damaged).unwrap_err();
        assert!(Damage::in_error(&error).is_some(), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), rows, "readers still need it");
    }
}

#[test]
fn a_prefix_is_known_by_its_bytes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upload");
    std::fs::write(&path, b"123456789").unwrap();
    // The check value of CRC32C (Koopman).
    let whole = Prefix { bytes: 9, crc32c: 0xe306_9283 };
    assert_eq!(prefix_of(File::open(&path).unwrap(), u64::MAX).unwrap(), whole);
    assert!(begins_with(&path, whole).unwrap());
    std::fs::write(&path, b"123456789 and more").unwrap();
    assert!(begins_with(&path, whole).unwrap());
    std::fs::write(&path, b"12345678").unwrap();
    assert!(!begins_with(&path, whole).unwrap());
}
