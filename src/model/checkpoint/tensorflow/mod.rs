//! TensorFlow checkpoints in a `.tar.gz`, as Spleeter's are published.
//!
//! The archive ([`archive`]) holds `model.index`, a sorted table ([`table`]) from the name of each variable to the
//! position of its values (tensorflow/core/protobuf/tensor_bundle.proto), and `model.data-00000-of-00001`, the values,
//! little-endian. The checksums of all blocks of the table and of all tensors are verified.

mod archive;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod table;

use prost::Message;

use super::{NamedTensor, floats};

/// First bytes of a `.tar.gz`.
pub(crate) const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Reads the float tensors of a checkpoint, by name. Other tensors, such as the number of training steps, are verified and
/// skipped.
///
/// # Errors
/// The first fault, in words.
pub(crate) fn read(archive: &[u8]) -> Result<Vec<NamedTensor>, String> {
    tensors(&archive::read(archive)?)
}

/// Reads the float tensors in the files of a checkpoint.
fn tensors(files: &archive::CheckpointFiles) -> Result<Vec<NamedTensor>, String> {
    let mut entries = table::read(&files.index)
        .map_err(|reason| format!("{} is damaged: {reason}", archive::INDEX))?
        .into_iter();
    match entries.next() {
        // The header has the empty key, which sorts first.
        Some((key, value)) if key.is_empty() => check_header(&value)?,
        _ => return Err(format!("{} has no header", archive::INDEX)),
    }
    // Tensors do not share values, so together they are no larger than the file.
    let mut left = files.values.len();
    let mut tensors = Vec::new();
    for (key, value) in entries {
        let name =
            String::from_utf8(key).map_err(|_| "the name of a tensor is not UTF-8".to_owned())?;
        let named = |reason: &str| format!("tensor {name}: {reason}");
        let entry = BundleEntry::decode(&value[..]).map_err(|_| named("its entry is damaged"))?;
        let bytes = entry.bytes(&files.values).map_err(named)?;
        left = left
            .checked_sub(bytes.len())
            .ok_or_else(|| named("it shares the values of another tensor"))?;
        if masked_crc(bytes) != entry.crc32c {
            return Err(named("wrong checksum"));
        }
        if entry.dtype == DT_FLOAT {
            let shape = entry.shape(bytes.len()).map_err(named)?;
            let values = floats::from_f32(bytes).map_err(|reason| named(&reason))?;
            tensors.push(NamedTensor { name, shape, values });
        }
    }
    Ok(tensors)
}

/// Of tensorflow/core/framework/types.proto.
const DT_FLOAT: i32 = 1;

/// The checksum that TensorFlow and LevelDB store: CRC-32C, masked so that checksums of data that contains checksums are
/// sound.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn check_header(bytes: &[u8]) -> Result<(), String> {
    let header =
        BundleHeader::decode(bytes).map_err(|_| "the header of the checkpoint is damaged")?;
    match (header.num_shards, header.endianness) {
        (1, 0) => Ok(()),
        (1, _) => Err("the checkpoint is big-endian".into()),
        (shards, _) => Err(format!("the checkpoint has {shards} files of values, not one")),
    }
}

/// `BundleHeaderProto`.
#[derive(Clone, PartialEq, Message)]
struct BundleHeader {
    #[prost(int32, tag = "1")]
    num_shards: i32,
    /// 0: little-endian.
    #[prost(int32, tag = "2")]
    endianness: i32,
}

/// `BundleEntryProto`.
#[derive(Clone, PartialEq, Message)]
struct BundleEntry {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(int32, tag = "3")]
    shard_id: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    size: i64,
    #[prost(fixed32, tag = "6")]
    crc32c: u32,
    /// Not decoded further: a tensor in slices is refused.
    #[prost(bytes = "vec", repeated, tag = "7")]
    slices: Vec<Vec<u8>>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    size: i64,
}

impl BundleEntry {
    /// The bytes of the tensor in the file of values.
    fn bytes<'a>(&self, values: &'a [u8]) -> Result<&'a [u8], &'static str> {
        if self.shard_id != 0 || !self.slices.is_empty() {
            return Err("it is stored in slices");
        }
        let outside = "its values are outside of the file";
        let start = usize::try_from(self.offset).map_err(|_| outside)?;
        let size = usize::try_from(self.size).map_err(|_| outside)?;
        let end = start.checked_add(size).ok_or(outside)?;
        values.get(start..end).ok_or(outside)
    }

    /// The shape, which must fit `size` bytes of floats.
    fn shape(&self, size: usize) -> Result<Vec<usize>, &'static str> {
        let dimensions = self.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let lengths = dimensions.iter().map(|dimension| usize::try_from(dimension.size));
        let shape = lengths.collect::<Result<Vec<_>, _>>().map_err(|_| "its shape is not fixed")?;
        let length = shape.iter().try_fold(4usize, |product, &n| product.checked_mul(n));
        if length == Some(size) { Ok(shape) } else { Err("its shape does not fit its size") }
    }
}

#[cfg(test)]
mod tests;
