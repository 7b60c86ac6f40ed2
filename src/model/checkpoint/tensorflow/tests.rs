use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A checkpoint written by TensorFlow, with 148 tensors and the number of steps.
const CHECKPOINT: &[u8] =
    include_bytes!("../../../../tests/golden/spleeter-tiny-2stems/2stems.tar.gz");

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn with(index: &[u8], values: &[u8]) -> Vec<u8> {
    packed(&[("2stems/._model.index", b"x"), (archive::INDEX, index), (archive::VALUES, values)])
}

#[track_caller]
fn check_refused(archive: &[u8], expected: &str) {
    let reason = read(archive).unwrap_err();
    assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
}

#[test]
fn a_checkpoint_is_read_by_name() {
    let tensors = read(CHECKPOINT).unwrap();
    assert_eq!(tensors.len(), 148);
    let kernel = tensors.iter().find(|tensor| tensor.name == "conv2d_transpose_1/kernel").unwrap();
    assert_eq!(kernel.shape, [5, 5, 3, 8]);
    assert_eq!(kernel.values.len(), 600);
    assert!(kernel.values.iter().all(|value| value.is_finite() && value.abs() < 1.0));
    assert!(!tensors.iter().any(|tensor| tensor.name == "global_step"));
}

#[test]
fn no_changed_byte_of_the_index_passes() {
    let files = archive::read(CHECKPOINT).unwrap();
    let sound = table::read(&files.index).unwrap();
    for at in 0..files.index.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut index = files.index.clone();
            index[at] ^= change;
            // The padding of the footer is not read.
            if let Ok(entries) = table::read(&index) {
                assert!(at >= index.len() - 48, "a change at {at} passed");
                assert_eq!(entries, sound);
            }
        }
        assert!(table::read(&files.index[..at]).is_err());
    }
}

#[test]
fn a_tensor_with_a_changed_byte_is_named() {
    let files = archive::read(CHECKPOINT).unwrap();
    let last = files.values.len() - 1;
    // The first tensor by name is the one whose values come first.
    for (at, name) in [(0, "batch_normalization/beta"), (last, "tensor ")] {
        let mut values = files.values.clone();
        values[at] ^= 0x10;
        check_refused(&with(&files.index, &values), name);
        check_refused(&with(&files.index, &values), "checksum");
    }
    check_refused(&with(&files.index, &files.values[..last]), "outside of the file");
}

#[test]
fn incomplete_archives_are_refused() {
    let files = archive::read(CHECKPOINT).unwrap();
    for length in (0..CHECKPOINT.len()).step_by(97) {
        assert!(read(&CHECKPOINT[..length]).is_err(), "{length} bytes passed");
    }
    check_refused(b"", "damaged");
    check_refused(&packed(&[]), "holds no model.index");
    check_refused(b"weights", "damaged");
    check_refused(&packed(&[(archive::INDEX, &files.index)]), "holds no model.data");
    let twice = [(archive::INDEX, &files.index[..]), ("a/model.index", &files.index[..])];
    check_refused(&packed(&twice), "twice");
    check_refused(&with(b"", &files.values), "too short");
    let large = vec![0; (1 << 20) + 1];
    check_refused(&with(&large, &files.values), "more than 1048576");
}

/// A table of one block, checksums and all.
fn table_of(content: &[u8]) -> Vec<u8> {
    fn add(file: &mut Vec<u8>, content: &[u8]) -> Vec<u8> {
        let offset = file.len();
        file.extend(content);
        // No restart points, and nothing compressed.
        file.extend([0; 5]);
        let checked = &file[offset..];
        let (size, sum) = (checked.len() - 1, masked_crc(checked));
        file.write_all(&sum.to_le_bytes()).unwrap();
        let mut handle = Vec::new();
        prost::encode_length_delimiter(offset, &mut handle).unwrap();
        prost::encode_length_delimiter(size, &mut handle).unwrap();
        handle
    }
    let mut file = Vec::new();
    let meta_index = add(&mut file, &[]);
    let block = add(&mut file, content);
    let index = add(&mut file, &[&[0, 0, block.len() as u8], &block[..]].concat());
    let mut footer = [meta_index, index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file
}

type Pairs<'a> = &'a [(&'a [u8], &'a [u8])];

#[track_caller]
fn check_table(content: &[u8], expected: Result<Pairs<'_>, &str>) {
    match (table::read(&table_of(content)), expected) {
        (Ok(found), Ok(expected)) => {
            let found: Vec<_> = found.iter().map(|(key, value)| (&key[..], &value[..])).collect();
            assert_eq!(found, expected);
        }
        (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason:?} lacks {part:?}"),
        (found, _) => panic!("{found:?}"),
    }
}

#[test]
fn inconsistent_tables_are_refused() {
    check_table(&[0, 1, 1, b'a', 1, 1, 1, 0, b'b'], Ok(&[(b"a", &[1]), (b"ab", &[])]));
    check_table(&[0, 1, 0, b'a', 0, 1, 0, b'a'], Err("not in order"));
    check_table(&[1, 1, 0, b'a'], Err("continues none"));
    check_table(&[0, 9, 0, b'a'], Err("beyond its block"));
    check_table(&[0, 1, 0xff, b'a'], Err("beyond its block"));
    check_table(&[0xff; 11], Err("a number is damaged"));
    let long = [&[0, 0x80, 0x10, 0][..], &[b'a'; 2048]].concat();
    check_table(&long, Err("a key of 2048 bytes"));
}
