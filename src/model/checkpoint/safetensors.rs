//! Safetensors files of F16 or F32 tensors.

use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::NamedTensor;

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

/// The values as F32, exactly; `None` for other types.
fn as_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F16 => {
            let (halves, _) = bytes.as_chunks::<2>();
            let mut values = vec![0.0; halves.len()];
            // The conversion of a slice uses the processor's vector instructions.
            let mut row = [f16::ZERO; 1024];
            for (values, halves) in values.chunks_mut(row.len()).zip(halves.chunks(row.len())) {
                let row = &mut row[..values.len()];
                row.iter_mut().zip(halves).for_each(|(value, &b)| *value = f16::from_le_bytes(b));
                row.convert_to_f32_slice(values);
            }
            Some(values)
        }
        Dtype::F32 => {
            let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            Some(bytes.chunks_exact(4).map(value).collect())
        }
        _ => None,
    }
}
