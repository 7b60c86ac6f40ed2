//! The tensors that a file may have.

use super::super::wire::{MessageFields, Value};
use super::{name_of, shown};

/// Most dimensions of a tensor.
pub(super) const MOST_DIMENSIONS: usize = 8;

pub(super) const FLOAT: u64 = 1;

/// Checks that a tensor is in the file, has as many values as its shape, and that they are numbers. `unnamed` stands for a
/// missing name.
pub(super) fn check_tensor(tensor: &[u8], unnamed: &str) -> Result<(), String> {
    let name = match name_of(tensor, 8)? {
        "" => unnamed,
        name => name,
    };
    check_values(tensor).map_err(|fault| format!("tensor {} {fault}", shown(name)))
}

fn check_values(tensor: &[u8]) -> Result<(), String> {
    let (mut element, mut elements, mut dimensions) = (0, 1_u64, 0);
    // Bytes of raw values; values of lists.
    let (mut raw, mut listed) = (None, 0_u64);
    for field in MessageFields::of(tensor) {
        match field? {
            (1, value) => value.varints(&mut |size| {
                dimensions += 1;
                elements = elements.saturating_mul(size);
            })?,
            (2, Value::Varint(kind)) => element = kind,
            (4, Value::Fixed32(value)) => {
                listed += 1;
                finite(value)?;
            }
            (4, value) => {
                let bytes = value.bytes()?;
                listed += bytes.len() as u64 / 4;
                all_finite(bytes)?;
            }
            (5 | 7 | 11, value) => value.varints(&mut |_| listed += 1)?,
            (9, value) => raw = Some(value.bytes()?),
            (10, value) => listed += value.bytes()?.len() as u64 / 8,
            (13, _) => return Err("lies in another file".into()),
            (14, Value::Varint(0)) => {}
            (14, _) => return Err("lies in another file".into()),
            (3 | 6, _) => return Err("is in segments or a text".into()),
            _ => {}
        }
    }
    let Some(size) = size_of(element) else {
        return Err(format!("has the unsuitable type {element}"));
    };
    if dimensions > MOST_DIMENSIONS {
        return Err(format!("has {dimensions} dimensions, more than {MOST_DIMENSIONS}"));
    }
    let found = match raw {
        Some(raw) if element == FLOAT => all_finite(raw).map(|()| raw.len() as u64 / size)?,
        Some(raw) => raw.len() as u64 / size,
        None => listed,
    };
    if found == elements {
        Ok(())
    } else {
        Err(format!("has {found} values, its shape {elements}"))
    }
}

/// Bytes of a value of a type in `TensorProto.DataType`: floats, integers, booleans.
fn size_of(element: u64) -> Option<u64> {
    match element {
        2 | 3 | 9 => Some(1),
        10 => Some(2),
        FLOAT | 6 => Some(4),
        7 | 11 => Some(8),
        _ => None,
    }
}

fn all_finite(bytes: &[u8]) -> Result<(), String> {
    let (values, _) = bytes.as_chunks();
    values.iter().try_for_each(|&value| finite(f32::from_le_bytes(value)))
}

fn finite(value: f32) -> Result<(), String> {
    if value.is_finite() { Ok(()) } else { Err("has values that are NaN or infinite".into()) }
}
