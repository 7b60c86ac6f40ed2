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
        let values = as_f32(&view).ok_or_else(|| {
            format!("tensor {name} is stored as {:?}, not as F16 or F32", view.dtype())
        })?;
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

/// The values as F32, exactly; `None` for other types.
fn as_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    match view.dtype() {
        Dtype::F16 => Some(floats::from_f16(view.data())),
        Dtype::F32 => Some(floats::from_f32(view.data())),
        _ => None,
    }
}
