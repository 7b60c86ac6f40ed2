//! Weight files as their authors publish them.
//!
//! [`read`] reads the tensors of a file: [`safetensors`], a [`pytorch`] checkpoint, or a [`tensorflow`] checkpoint in a
//! `.tar.gz`. [`htdemucs`] reads the metadata of an HTDemucs file, [`scnet`] the [`configuration`] beside an
//! SCNet's, [`uvr`] the list of MDX-Nets.

pub(crate) mod configuration;
mod floats;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod htdemucs;
pub(crate) mod pytorch;
mod safetensors;
pub(crate) mod scnet;
pub(crate) mod tensorflow;
pub(crate) mod uvr;

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::onnx::{self, PlacedTensor, Shapes};

/// A named tensor of 32-bit floats.
#[derive(Debug, PartialEq)]
pub(crate) struct NamedTensor {
    /// The name, such as `conv2d_3/kernel`.
    pub(crate) name: String,
    /// The dimensions; none for a scalar.
    pub(crate) shape: Vec<usize>,
    /// The values in row-major order.
    pub(crate) values: Vec<f32>,
}

/// The format of a weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightsFormat {
    Safetensors,
    Pytorch,
    Tensorflow,
}

impl WeightsFormat {
    /// The format of a file, by its first bytes. What is no other format is taken for safetensors.
    ///
    /// # Errors
    /// I/O errors, in words; a format that is not read.
    pub(crate) fn of(source: &mut (impl Read + Seek)) -> Result<WeightsFormat, String> {
        let mut head = Vec::new();
        let longest = pytorch::LEGACY_MAGIC.len() as u64;
        let found = source.by_ref().take(longest).read_to_end(&mut head);
        found.and_then(|_| source.rewind()).map_err(|error| error.to_string())?;
        match &head[..] {
            head if head.starts_with(pytorch::ZIP_MAGIC) => Ok(WeightsFormat::Pytorch),
            head if head.starts_with(tensorflow::GZIP_MAGIC) => Ok(WeightsFormat::Tensorflow),
            pytorch::LEGACY_MAGIC => {
                Err("it has the format of PyTorch before 1.6, which is not read".into())
            }
            _ => Ok(WeightsFormat::Safetensors),
        }
    }

    /// Whether files of this format also hold tensors that only training needs, which no graph has.
    pub(crate) fn has_training_tensors(self) -> bool {
        self == WeightsFormat::Tensorflow
    }
}

/// Reads the tensors of a weight file one after another. Returns the format of the file.
///
/// # Errors
/// The first fault, in words, also of `each`.
pub(crate) fn read(
    source: impl Read + Seek,
    each: &mut dyn FnMut(NamedTensor) -> Result<(), String>,
) -> Result<WeightsFormat, String> {
    read_except(source, &|_| false, each)
}

/// The same, without the tensors to skip by name. The values of those in a PyTorch checkpoint are not read.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_except(
    mut source: impl Read + Seek,
    skip: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(NamedTensor) -> Result<(), String>,
) -> Result<WeightsFormat, String> {
    let format = WeightsFormat::of(&mut source)?;
    let mut bytes = Vec::new();
    if format == WeightsFormat::Pytorch {
        pytorch::PytorchFile::open(source)?.read(skip, each)?;
        return Ok(format);
    }
    source.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let tensors = match format {
        WeightsFormat::Tensorflow => tensorflow::read(&bytes),
        _ => safetensors::read(&bytes),
    };
    tensors?.into_iter().filter(|tensor| !skip(&tensor.name)).try_for_each(each)?;
    Ok(format)
}

/// The tensors of at least so many bytes whose values can be used where they lie in the file; none in other formats than
/// PyTorch's.
///
/// # Errors
/// The first fault, in words.
pub(crate) fn placed(
    mut source: impl Read + Seek,
    least_bytes: u64,
) -> Result<BTreeMap<String, PlacedTensor>, String> {
    match WeightsFormat::of(&mut source)? {
        WeightsFormat::Pytorch => pytorch::PytorchFile::open(source)?.placed(least_bytes),
        WeightsFormat::Safetensors | WeightsFormat::Tensorflow => Ok(BTreeMap::new()),
    }
}

/// The shapes of the tensors in a safetensors or PyTorch file.
///
/// # Errors
/// The first fault, in words.
pub(crate) fn shapes(mut source: impl Read + Seek) -> Result<Shapes, String> {
    match WeightsFormat::of(&mut source)? {
        WeightsFormat::Pytorch => Ok(pytorch::PytorchFile::open(source)?.shapes()),
        WeightsFormat::Tensorflow => Err("it is a TensorFlow checkpoint".into()),
        WeightsFormat::Safetensors => {
            let mut bytes = Vec::new();
            source.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            safetensors::shapes(&bytes)
        }
    }
}

/// Checks that all weights of a file are numbers.
///
/// # Errors
/// The first tensor with NaN or infinite values; the first fault of the file, in words.
pub(crate) fn check_values(source: impl Read + Seek) -> Result<(), String> {
    let check = &mut |tensor: NamedTensor| match tensor.values.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(format!("tensor {} has the value {value}", tensor.name)),
    };
    read(source, check).map(drop)
}

/// Compares the shapes of a weight file with the open initialisers of a graph.
///
/// # Errors
/// The first difference by name, in words.
pub(crate) fn check(
    graph: &onnx::Graph,
    shapes: &Shapes,
    has_training_tensors: bool,
) -> Result<(), String> {
    let wanted = graph.open_initialisers();
    if !has_training_tensors {
        return onnx::compare(&wanted, shapes);
    }
    let mut used = shapes.clone();
    used.retain(|name, _| wanted.contains_key(name));
    onnx::compare(&wanted, &used)
}
