//! The calls of a pickle that are understood: each builds a plain object. Nothing is executed.

use super::objects::{
    PickleDict, PickleObjects, PickleValue, StorageRecord, StoredTensor, TorchGlobal,
};

impl<'a> PickleObjects<'a> {
    /// The object that `callable(*arguments)` would return.
    ///
    /// # Errors
    /// What is called, in words.
    pub(super) fn call(
        &mut self,
        callable: PickleValue<'a>,
        arguments: PickleValue<'a>,
    ) -> Result<PickleValue<'a>, String> {
        let PickleValue::Global(global) = callable else {
            return Err(format!("it calls {}", callable.kind()));
        };
        let PickleValue::Tuple(arguments) = arguments else {
            return Err(format!("a call has {} for arguments", arguments.kind()));
        };
        let arguments = &self.sequences[arguments][..];
        match (global, arguments) {
            (TorchGlobal::OrderedDict, []) => {
                self.dicts.push(PickleDict { is_ordered: true, ..PickleDict::default() });
                Ok(PickleValue::Dict(self.dicts.len() - 1))
            }
            (TorchGlobal::RebuildTensor, &[storage, offset, shape, strides, _, hooks])
            | (
                TorchGlobal::RebuildTensor,
                &[storage, offset, shape, strides, _, hooks, PickleValue::None],
            ) => {
                self.check_no_hooks(hooks)?;
                self.tensor(storage, offset, shape, strides)
            }
            (TorchGlobal::RebuildParameter, &[data @ PickleValue::Tensor(_), _, hooks]) => {
                self.check_no_hooks(hooks)?;
                Ok(data)
            }
            (
                TorchGlobal::Fraction,
                &[PickleValue::Int(numerator), PickleValue::Int(denominator)],
            ) => Ok(PickleValue::Float(numerator as f64 / denominator as f64)),
            (TorchGlobal::Fraction, &[PickleValue::Text(text)]) => {
                let parts = text.split_once('/').unwrap_or((text, "1"));
                match (parts.0.parse::<i64>(), parts.1.parse::<i64>()) {
                    (Ok(numerator), Ok(denominator)) => {
                        Ok(PickleValue::Float(numerator as f64 / denominator as f64))
                    }
                    _ => Err("a fraction is not two integers".into()),
                }
            }
            (TorchGlobal::Network(class), _) => Err(format!("it holds an object of {class}")),
            (other, arguments) => Err(format!("it calls {other:?} with {arguments:?}")),
        }
    }

    /// The storage that a persistent id names: `("storage", class, key, device, length)`.
    ///
    /// # Errors
    /// The fault, in words.
    pub(super) fn persistent(&mut self, id: PickleValue<'a>) -> Result<PickleValue<'a>, String> {
        let parts = match id {
            PickleValue::Tuple(index) => &self.sequences[index][..],
            _ => &[],
        };
        let &[
            PickleValue::Text("storage"),
            PickleValue::Global(TorchGlobal::StorageOf(element)),
            PickleValue::Text(key),
            PickleValue::Text(_),
            PickleValue::Int(length),
        ] = parts
        else {
            return Err("a persistent id does not name a storage".into());
        };
        if key.is_empty() || !key.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(format!("the storage {key:?} is not numbered"));
        }
        let length =
            usize::try_from(length).map_err(|_| format!("storage {key} has {length} elements"))?;
        let storage = StorageRecord { key, element, length };
        let known = *self.storage_indices.entry(key).or_insert(self.storages.len());
        match self.storages.get(known) {
            None => self.storages.push(storage),
            Some(same) if *same == storage => {}
            Some(_) => return Err(format!("storage {key} has two lengths or types")),
        }
        Ok(PickleValue::Storage(known))
    }

    /// Sets the attributes of an object: only the `_metadata` of a state dict, which have no effect on the tensors.
    ///
    /// # Errors
    /// What is built, in words.
    pub(super) fn build(
        &self,
        object: PickleValue<'a>,
        attributes: PickleValue<'a>,
    ) -> Result<(), String> {
        let is_state_dict =
            matches!(object, PickleValue::Dict(index) if self.dicts[index].is_ordered);
        let has_metadata = matches!(attributes, PickleValue::Dict(index)
            if matches!(&self.dicts[index].entries[..], [(PickleValue::Text("_metadata"), _)]));
        if is_state_dict && has_metadata {
            return Ok(());
        }
        Err(format!("it sets attributes of {} (BUILD)", object.kind()))
    }

    fn tensor(
        &mut self,
        storage: PickleValue<'a>,
        offset: PickleValue<'a>,
        shape: PickleValue<'a>,
        strides: PickleValue<'a>,
    ) -> Result<PickleValue<'a>, String> {
        let PickleValue::Storage(storage) = storage else {
            return Err(format!("a tensor has {} for its storage", storage.kind()));
        };
        let tensor = StoredTensor {
            storage,
            offset: length(offset)?,
            shape: self.lengths(shape)?,
            strides: self.lengths(strides)?,
        };
        let record = &self.storages[storage];
        tensor.check(record.length).map_err(|fault| {
            let StoredTensor { shape, strides, offset, .. } = &tensor;
            format!("a tensor of shape {shape:?}, strides {strides:?} at {offset}: {fault}")
        })?;
        self.tensors.push(tensor);
        Ok(PickleValue::Tensor(self.tensors.len() - 1))
    }

    fn lengths(&self, value: PickleValue<'a>) -> Result<Vec<usize>, String> {
        match value {
            PickleValue::Tuple(index) => {
                self.sequences[index].iter().map(|value| length(*value)).collect()
            }
            other => Err(format!("the shape of a tensor is {}", other.kind())),
        }
    }

    fn check_no_hooks(&self, hooks: PickleValue<'a>) -> Result<(), String> {
        match hooks {
            PickleValue::Dict(index) if self.dicts[index].entries.is_empty() => Ok(()),
            other => Err(format!("a tensor has hooks: {}", other.kind())),
        }
    }
}

fn length(value: PickleValue<'_>) -> Result<usize, String> {
    match value {
        PickleValue::Int(number) => {
            usize::try_from(number).map_err(|_| format!("a tensor has a length of {number}"))
        }
        other => Err(format!("a tensor has {} for a length", other.kind())),
    }
}
