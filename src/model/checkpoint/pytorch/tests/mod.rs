//! What files of torch.save hold.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::model::checkpoint;

/// A file of torch.save, made by tests/golden/make_pytorch.py.
macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../tests/golden/pytorch/", $name))
    };
}

mod refused;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// All tensors of a file, read as the engine reads them.
fn tensors(bytes: &[u8]) -> Result<Tensors, String> {
    let mut tensors = Tensors::new();
    checkpoint::read(Cursor::new(bytes), &mut |tensor| {
        tensors.insert(tensor.name, (tensor.shape, tensor.values));
        Ok(())
    })?;
    Ok(tensors)
}

/// The values that make_pytorch.py gives a tensor of consecutive elements, at these positions.
fn counted(positions: impl IntoIterator<Item = usize>) -> Vec<f32> {
    positions.into_iter().map(|position| position as f32 / 8.0).collect()
}

#[test]
fn placed_tensors_lie_in_the_file_as_they_are_read() {
    for file in [&golden!("plain.ckpt")[..], golden!("views.ckpt"), golden!("types.ckpt")] {
        let read = tensors(file).unwrap();
        let placed = checkpoint::placed(Cursor::new(file), 1).unwrap();
        for (name, tensor) in &placed {
            let bytes = &file[tensor.bytes.start as usize..tensor.bytes.end as usize];
            let (values, _) = bytes.as_chunks();
            let values = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
            assert_eq!(read[name], (tensor.shape.clone(), values), "{name}");
        }
    }
    let placed = |least| checkpoint::placed(Cursor::new(golden!("plain.ckpt")), least).unwrap();
    assert_eq!(placed(1).len(), 6);
    assert_eq!(placed(24).keys().collect::<Vec<_>>(), ["0.weight"]);
    // Transposed and other types of floats.
    let others = [&golden!("views.ckpt")[..], golden!("types.ckpt")];
    let [views, types] = others.map(|file| checkpoint::placed(Cursor::new(file), 1).unwrap());
    assert!(views.contains_key("whole") && !views.contains_key("transposed") && types.is_empty());
}

fn names(tensors: &Tensors) -> Vec<&str> {
    tensors.keys().map(String::as_str).collect()
}

#[test]
fn a_state_dict_is_read_by_name_without_its_integers() {
    let tensors = tensors(golden!("plain.ckpt")).unwrap();
    let expected = ["0.bias", "0.weight", "1.bias", "1.running_mean", "1.running_var", "1.weight"];
    assert_eq!(names(&tensors), expected);
    assert_eq!(tensors["0.weight"], (vec![2, 3], counted(0..6)));
    assert_eq!(tensors["1.running_var"], (vec![2], counted(0..2)));
}

#[test]
fn every_type_of_float_is_read_exactly() {
    let tensors = tensors(golden!("types.ckpt")).unwrap();
    assert_eq!(names(&tensors), ["bf16", "f16", "f64"]);
    assert!(tensors.values().all(|tensor| *tensor == (vec![2, 3], counted(0..6))));
}

#[test]
fn views_have_the_values_that_pytorch_shows() {
    let tensors = tensors(golden!("views.ckpt")).unwrap();
    let check = |name: &str, shape: &[usize], positions: Vec<usize>| {
        assert_eq!(tensors[name], (shape.to_vec(), counted(positions)), "{name}");
    };
    check("whole", &[4, 6], (0..24).collect());
    check("again", &[4, 6], (0..24).collect());
    check("transposed", &[6, 4], (0..24).map(|at| at % 4 * 6 + at / 4).collect());
    check("columns", &[4, 2], (0..8).map(|at| at / 2 * 6 + 1 + at % 2 * 2).collect());
    // Of the shape 2, 3, 4: the last axis first.
    check(
        "permuted",
        &[4, 2, 3],
        (0..24).map(|at| at / 3 % 2 * 12 + at % 3 * 4 + at / 6).collect(),
    );
    check("row", &[6], (12..18).collect());
    check("scalar", &[], vec![5]);
    check("empty", &[0, 3], vec![]);
}

#[test]
fn training_files_yield_their_best_state_by_the_plain_names() {
    let tensors = tensors(golden!("training.th")).unwrap();
    assert_eq!(names(&tensors), ["bias", "weight"]);
    assert_eq!(tensors["weight"], (vec![2, 2], counted(0..4)));
    let parameter = super::tests::tensors(golden!("parameter.pt")).unwrap();
    assert_eq!(parameter["weight"], (vec![2], counted(0..2)));
}

#[test]
fn weights_that_are_not_numbers_are_named() {
    let files = |values: [f32; 8]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let pickle = tensor_pickle(8, 0, &[8], &[1]);
        zipped(&[("a/data.pkl", &pickle), ("a/data/0", &bytes)], CompressionMethod::Stored)
    };
    let check = |values| checkpoint::check_values(Cursor::new(files(values)));
    assert_eq!(check([1.0; 8]), Ok(()));
    for (value, expected) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let mut values = [1.0; 8];
        values[6] = value;
        assert_eq!(check(values), Err(format!("tensor w has the value {expected}")));
    }
}

/// The files of an archive, stored.
fn zipped(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A checkpoint with this pickle and a storage of eight F32.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    let files = [("a/data.pkl", pickle), ("a/data/0", &[0; 32])];
    zipped(&files, CompressionMethod::Stored)
}

/// A pickle of `{"w": tensor}`, of a storage of `length` floats.
fn tensor_pickle(length: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| {
        let items: Vec<u8> = numbers.iter().flat_map(|&number| [b'K', number]).collect();
        [b"(", &items[..], b"t"].concat()
    };
    [
        b"\x80\x02}(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n",
        &b"X\x01\0\0\x000X\x03\0\0\0cpuK"[..],
        &[length],
        b"tQK",
        &[offset],
        &tuple(shape),
        &tuple(strides),
        b"\x89ccollections\nOrderedDict\n)RtRu.",
    ]
    .concat()
}
