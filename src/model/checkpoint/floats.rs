//! Little-endian floats as F32. The errors are lack of memory, in words.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

pub(super) fn from_f64(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let (values, _) = bytes.as_chunks();
    collect(values.iter().map(|&value| f64::from_le_bytes(value) as f32))
}

pub(super) fn from_f32(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let (values, _) = bytes.as_chunks();
    collect(values.iter().map(|&value| f32::from_le_bytes(value)))
}

pub(super) fn from_bf16(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let (values, _) = bytes.as_chunks();
    collect(values.iter().map(|&value| bf16::from_le_bytes(value).to_f32()))
}

pub(super) fn from_f16(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let (halves, _) = bytes.as_chunks::<2>();
    let mut values = allocate(halves.len())?;
    values.resize(halves.len(), 0.0);
    // The conversion of a slice uses the processor's vector instructions.
    let mut row = [f16::ZERO; 1024];
    for (values, halves) in values.chunks_mut(row.len()).zip(halves.chunks(row.len())) {
        let row = &mut row[..values.len()];
        row.iter_mut().zip(halves).for_each(|(value, &b)| *value = f16::from_le_bytes(b));
        row.convert_to_f32_slice(values);
    }
    Ok(values)
}

fn collect(floats: impl ExactSizeIterator<Item = f32>) -> Result<Vec<f32>, String> {
    let mut values = allocate(floats.len())?;
    values.extend(floats);
    Ok(values)
}

/// An empty vector with space for `length` elements. Weights may have gigabytes: without space for them a model is not loaded,
/// and its process continues.
///
/// # Errors
/// Lack of memory, in words.
pub(super) fn allocate<T>(length: usize) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|error| error.to_string())?;
    Ok(values)
}
