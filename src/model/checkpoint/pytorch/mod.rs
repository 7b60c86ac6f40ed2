//! PyTorch checkpoints: the zip file of `torch.save` ([`records`]) with a pickle ([`machine`]) in it.
//!
//! A pickle is a program. This reader executes nothing: it accepts the opcodes that build plain values, containers and
//! tensors, recognises the few calls of tensors by name, and refuses everything else with the first offending thing. Values
//! are read one storage at a time, so that a large file needs little memory beside the tensors that are kept.

mod calls;
mod element;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod machine;
mod objects;
mod package;
mod records;
mod state_dict;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::{NamedTensor, floats};
use crate::model::onnx::{PlacedTensor, Shapes};
use element::ElementType;
use objects::{PickleObjects, StoredTensor};
pub(crate) use package::NetworkPackage;
use records::ZipRecords;

/// First bytes of a zip archive.
pub(super) const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// First bytes of the files of PyTorch before 1.6: the pickle of a magic number.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The values of all tensors together are at most this many times those of the storages they share.
const MAX_SHARING: usize = 8;

/// A checkpoint whose pickle has been read. Values are read by [`read`](Self::read).
pub(crate) struct PytorchFile<R> {
    records: ZipRecords<R>,
    storages: Vec<(String, ElementType)>,
    /// In the order of their storages.
    tensors: Vec<(String, StoredTensor)>,
    package: Option<NetworkPackage>,
}

impl<R: Read + Seek> PytorchFile<R> {
    /// Opens a checkpoint: reads its pickle, and checks that the values of all tensors are there.
    ///
    /// # Errors
    /// The first fault, in words.
    pub(crate) fn open(source: R) -> Result<PytorchFile<R>, String> {
        let mut records = ZipRecords::open(source)?;
        let pickle = records.pickle()?;
        let (objects, root) = machine::run(&pickle)?;
        let names = state_dict::find(&objects, root)?;
        let package = package::find(&objects, root)?;
        check_sizes(&objects, &names)?;
        let own =
            |&(name, index): &(&str, usize)| (name.to_owned(), objects.tensors[index].clone());
        let mut tensors: Vec<_> = names.iter().map(own).collect();
        tensors.retain(|(_, tensor)| objects.storages[tensor.storage].element.is_float());
        tensors.sort_by_key(|(_, tensor)| tensor.storage);
        let storage = |record: &objects::StorageRecord<'_>| (record.key.to_owned(), record.element);
        let storages = objects.storages.iter().map(storage).collect();
        let mut stored = 0_u64;
        for tensors in tensors.chunk_by(|(_, one), (_, other)| one.storage == other.storage) {
            let record = &objects.storages[tensors[0].1.storage];
            let bytes = (record.length as u64).saturating_mul(record.element.bytes() as u64);
            records.check_storage(record.key, bytes)?;
            stored += bytes;
        }
        if stored > records.bytes {
            return Err("the values of two storages overlap in the archive".into());
        }
        Ok(PytorchFile { records, storages, tensors, package })
    }

    /// The shapes of the tensors, without those of integers.
    pub(crate) fn shapes(&self) -> Shapes {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect()
    }

    /// The class and arguments of the network, where the file names them.
    pub(crate) fn package(&self) -> Option<&NetworkPackage> {
        self.package.as_ref()
    }

    /// The tensors of at least so many bytes that lie in the file as F32 in row-major order.
    ///
    /// # Errors
    /// The first fault, in words.
    pub(crate) fn placed(
        mut self,
        least_bytes: u64,
    ) -> Result<BTreeMap<String, PlacedTensor>, String> {
        let mut placed = BTreeMap::new();
        for (name, tensor) in &self.tensors {
            let (key, element) = &self.storages[tensor.storage];
            let bytes = (tensor.length() * element.bytes()) as u64;
            if *element != ElementType::F32 || bytes < least_bytes || !tensor.is_contiguous() {
                continue;
            }
            let start =
                self.records.start_of_storage(key)? + (tensor.offset * element.bytes()) as u64;
            if start.is_multiple_of(element.bytes() as u64) {
                let shape = tensor.shape.clone();
                placed.insert(name.clone(), PlacedTensor { shape, bytes: start..start + bytes });
            }
        }
        Ok(placed)
    }

    /// Reads the tensors one after another as F32, without those of integers and those to skip by name.
    ///
    /// # Errors
    /// The first fault, in words, also of `each`.
    pub(crate) fn read(
        mut self,
        skip: &dyn Fn(&str) -> bool,
        each: &mut dyn FnMut(NamedTensor) -> Result<(), String>,
    ) -> Result<(), String> {
        self.tensors.retain(|(name, _)| !skip(name));
        for tensors in self.tensors.chunk_by(|(_, one), (_, other)| one.storage == other.storage) {
            let (key, element) = &self.storages[tensors[0].1.storage];
            let bytes = self.records.storage(key)?;
            for (name, tensor) in tensors {
                let values = tensor.values(&bytes, *element)?;
                each(NamedTensor { name: name.clone(), shape: tensor.shape.clone(), values })?;
            }
        }
        Ok(())
    }
}

/// Checks that the tensors together are not much larger than their storages.
fn check_sizes(objects: &PickleObjects<'_>, names: &[(&str, usize)]) -> Result<(), String> {
    let tensors = || names.iter().map(|(_, index)| &objects.tensors[*index]);
    let total = |lengths: &mut dyn Iterator<Item = usize>| lengths.fold(0, usize::saturating_add);
    let viewed = total(&mut tensors().map(StoredTensor::length));
    let mut used: Vec<_> = tensors().map(|tensor| tensor.storage).collect();
    used.sort_unstable();
    used.dedup();
    let stored = total(&mut used.iter().map(|&storage| objects.storages[storage].length));
    if viewed > stored.saturating_mul(MAX_SHARING) {
        return Err(format!("its tensors have {viewed} values, of which {stored} are stored"));
    }
    Ok(())
}

impl StoredTensor {
    /// The values as F32 in row-major order, from the bytes of the storage.
    ///
    /// # Errors
    /// Lack of memory, in words.
    fn values(&self, storage: &[u8], element: ElementType) -> Result<Vec<f32>, String> {
        let size = element.bytes();
        if self.length() == 0 {
            return Ok(Vec::new());
        }
        if self.is_contiguous() {
            let start = self.offset * size;
            return element.to_f32(&storage[start..start + self.length() * size]);
        }
        let (&columns, outer) = self.shape.split_last().unwrap_or((&1, &[]));
        let (&step, outer_strides) = self.strides.split_last().unwrap_or((&1, &[]));
        let mut gathered = floats::allocate(self.length() * size)?;
        for row in 0..self.length() / columns {
            let (mut at, mut rest) = (self.offset, row);
            for (length, stride) in outer.iter().zip(outer_strides).rev() {
                at += rest % length * stride;
                rest /= length;
            }
            for column in 0..columns {
                let start = (at + column * step) * size;
                gathered.extend_from_slice(&storage[start..start + size]);
            }
        }
        element.to_f32(&gathered)
    }
}
