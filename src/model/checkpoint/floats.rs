//! Little-endian floats as F32.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

pub(super) fn from_f64(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|&value| f64::from_le_bytes(value) as f32).collect()
}

pub(super) fn from_f32(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|&value| f32::from_le_bytes(value)).collect()
}

pub(super) fn from_bf16(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|&value| bf16::from_le_bytes(value).to_f32()).collect()
}

pub(super) fn from_f16(bytes: &[u8]) -> Vec<f32> {
    let (halves, _) = bytes.as_chunks::<2>();
    let mut values = vec![0.0; halves.len()];
    // The conversion of a slice uses the processor's vector instructions.
    let mut row = [f16::ZERO; 1024];
    for (values, halves) in values.chunks_mut(row.len()).zip(halves.chunks(row.len())) {
        let row = &mut row[..values.len()];
        row.iter_mut().zip(halves).for_each(|(value, &b)| *value = f16::from_le_bytes(b));
        row.convert_to_f32_slice(values);
    }
    values
}
