//! Weight files as their authors publish them.
//!
//! [`read`] reads the tensors of a file: [`safetensors`], or a [`tensorflow`] checkpoint in a `.tar.gz`. [`htdemucs`]
//! reads the metadata of an HTDemucs file.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod htdemucs;
mod safetensors;
pub(crate) mod tensorflow;

use super::onnx::{self, Shapes};

/// Extension of TensorFlow checkpoints.
const TENSORFLOW_EXTENSION: &str = ".tar.gz";

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

/// The tensors of a weight file.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) tensors: Vec<NamedTensor>,
    /// Whether the file also holds tensors that only training needs, which no graph has.
    pub(crate) has_training_tensors: bool,
}

/// Reads a weight file, whose format follows from its name.
///
/// # Errors
/// The first fault, in words.
pub(crate) fn read(bytes: &[u8], file_name: &str) -> Result<Checkpoint, String> {
    let has_training_tensors = file_name.ends_with(TENSORFLOW_EXTENSION);
    let tensors =
        if has_training_tensors { tensorflow::read(bytes) } else { safetensors::read(bytes) }?;
    Ok(Checkpoint { tensors, has_training_tensors })
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
