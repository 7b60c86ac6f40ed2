//! The types of a storage's elements.

use crate::model::checkpoint::floats;

/// The type of the elements of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    F64,
    F32,
    F16,
    Bf16,
    /// Integers or booleans of that many bytes, which no weights are: their tensors are checked and skipped.
    Whole(u8),
}

impl ElementType {
    /// The type of the elements of a storage class in `torch`.
    pub(super) fn of_storage(class: &str) -> Option<ElementType> {
        Some(match class {
            "DoubleStorage" => ElementType::F64,
            "FloatStorage" => ElementType::F32,
            "HalfStorage" => ElementType::F16,
            "BFloat16Storage" => ElementType::Bf16,
            "LongStorage" => ElementType::Whole(8),
            "IntStorage" => ElementType::Whole(4),
            "ShortStorage" => ElementType::Whole(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" => ElementType::Whole(1),
            _ => return None,
        })
    }

    pub(super) fn is_float(self) -> bool {
        !matches!(self, ElementType::Whole(_))
    }

    /// Bytes of an element.
    pub(super) fn bytes(self) -> usize {
        match self {
            ElementType::F64 => 8,
            ElementType::F32 => 4,
            ElementType::F16 | ElementType::Bf16 => 2,
            ElementType::Whole(bytes) => usize::from(bytes),
        }
    }

    /// Little-endian elements as F32, rounded if they are F64; none for integers.
    ///
    /// # Errors
    /// Lack of memory, in words.
    pub(super) fn to_f32(self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        match self {
            ElementType::F64 => floats::from_f64(bytes),
            ElementType::F32 => floats::from_f32(bytes),
            ElementType::F16 => floats::from_f16(bytes),
            ElementType::Bf16 => floats::from_bf16(bytes),
            ElementType::Whole(_) => Ok(Vec::new()),
        }
    }
}
