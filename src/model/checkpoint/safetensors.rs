//! Safetensors files of F16 or F32 tensors.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{NamedTensor, floats};
use crate::model::onnx::Shapes;

/// Reads all tensors as F32.
///
/// # Errors
/// The first fault, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<NamedTensor>, String> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|e| format!("not a safetensors file: {e}"))?;
    let tensor = |(name, view): (&str, TensorView<'_>)| {
        let values = as_f32(&view).map_err(|reason| format!("tensor {name} {reason}"))?;
        Ok(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), values })
    };
    file.iter().map(tensor).collect()
}

/// The shapes of all tensors.
///
/// # Errors
/// The fault, in words.
pub(super) fn shapes(bytes: &[u8]) -> Result<Shapes, String> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| format!("not a safetensors file: {e}"))?;
    let tensors = metadata.tensors().into_iter();
    Ok(tensors.map(|(name, tensor)| (name, tensor.shape.clone())).collect())
}

/// The values as F32, exactly.
///
/// # Errors
/// Another type; lack of memory.
fn as_f32(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let values = match view.dtype() {
        Dtype::F16 => floats::from_f16(view.data()),
        Dtype::F32 => floats::from_f32(view.data()),
        other => return Err(format!("is stored as {other:?}, not as F16 or F32")),
    };
    values.map_err(|reason| format!("cannot be read: {reason}"))
}
