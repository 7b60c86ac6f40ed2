//! What a pickle builds: plain values, containers, storages and tensors.
//!
//! Containers lie side by side and refer to each other by index, so that a pickle can neither nest them too deeply for the
//! stack nor build a cycle that is never freed.

use std::collections::HashMap;

use super::element::ElementType;

/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// A value on the stack of a pickle. Copies of a container are the same container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PickleValue<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Index into [`PickleObjects::sequences`].
    Tuple(usize),
    /// Index into [`PickleObjects::sequences`].
    List(usize),
    /// Index into [`PickleObjects::dicts`].
    Dict(usize),
    Global(TorchGlobal<'a>),
    /// Index into [`PickleObjects::storages`].
    Storage(usize),
    /// Index into [`PickleObjects::tensors`].
    Tensor(usize),
}

impl PickleValue<'_> {
    /// The kind of value, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            PickleValue::None => "None",
            PickleValue::Bool(_) => "a bool",
            PickleValue::Int(_) => "an int",
            PickleValue::Float(_) => "a float",
            PickleValue::Text(_) => "a str",
            PickleValue::Tuple(_) => "a tuple",
            PickleValue::List(_) => "a list",
            PickleValue::Dict(_) => "a dict",
            PickleValue::Global(_) => "a class",
            PickleValue::Storage(_) => "a storage",
            PickleValue::Tensor(_) => "a tensor",
        }
    }
}

/// The classes and functions that a pickle may name. Naming one calls nothing: the calls that are understood are in
/// `calls`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TorchGlobal<'a> {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `fractions.Fraction`, in the arguments of HTDemucs.
    Fraction,
    /// A storage of elements of one type, such as `torch.FloatStorage`.
    StorageOf(ElementType),
    /// The class of a network, which stands for its name.
    Network(&'a str),
}

impl TorchGlobal<'_> {
    /// The global of that name; `None` if pickles may not name it.
    pub(super) fn named<'a>(module: &str, name: &str) -> Option<TorchGlobal<'a>> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => TorchGlobal::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => TorchGlobal::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => TorchGlobal::RebuildParameter,
            ("fractions", "Fraction") => TorchGlobal::Fraction,
            ("demucs.htdemucs", "HTDemucs") => TorchGlobal::Network("demucs.htdemucs.HTDemucs"),
            ("torch", storage) => TorchGlobal::StorageOf(ElementType::of_storage(storage)?),
            _ => return None,
        })
    }
}

/// A storage: the values that one or more tensors view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StorageRecord<'a> {
    /// Its file in the archive.
    pub(super) key: &'a str,
    pub(super) element: ElementType,
    /// Number of elements.
    pub(super) length: usize,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredTensor {
    /// Index of the storage.
    pub(super) storage: usize,
    /// Element of the storage at which the tensor starts.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// Elements of the storage between neighbours, for each dimension.
    pub(super) strides: Vec<usize>,
}

impl StoredTensor {
    /// Number of elements. It was checked against the storage.
    pub(super) fn length(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie one after another.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let is_next = size == 1 || stride == expected;
            expected *= size;
            is_next
        })
    }

    /// Checks that a tensor lies in a storage of that length.
    pub(super) fn check(&self, storage: usize) -> Result<(), String> {
        let outside = || format!("its values are outside of its storage of {storage} elements");
        if self.shape.len() != self.strides.len() || self.shape.len() > MAX_DIMENSIONS {
            return Err(format!("it has more than {MAX_DIMENSIONS} dimensions, or other strides"));
        }
        let length = self.shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        let length = length.ok_or_else(outside)?;
        // An expanded tensor would be larger than the file.
        if length > storage {
            return Err(outside());
        }
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (&n, &step)| {
            at.checked_add(n.saturating_sub(1).checked_mul(step)?)
        });
        let end =
            if length == 0 { Some(self.offset) } else { last.and_then(|at| at.checked_add(1)) };
        end.filter(|&end| end <= storage).map(drop).ok_or_else(outside)
    }
}

/// The objects of a pickle.
#[derive(Debug, Default)]
pub(super) struct PickleObjects<'a> {
    /// Tuples and lists.
    pub(super) sequences: Vec<Vec<PickleValue<'a>>>,
    pub(super) dicts: Vec<PickleDict<'a>>,
    pub(super) storages: Vec<StorageRecord<'a>>,
    /// Index of a storage by its key.
    pub(super) storage_indices: HashMap<&'a str, usize>,
    pub(super) tensors: Vec<StoredTensor>,
}

/// A `dict` or an `OrderedDict`.
#[derive(Debug, Default)]
pub(super) struct PickleDict<'a> {
    /// In the order in which they were set. A key may come twice.
    pub(super) entries: Vec<(PickleValue<'a>, PickleValue<'a>)>,
    /// Whether it is an `OrderedDict`, which may have attributes.
    pub(super) is_ordered: bool,
}

impl<'a> PickleDict<'a> {
    /// The value that was set last for a key.
    pub(super) fn get(&self, key: &str) -> Option<PickleValue<'a>> {
        let found = |(name, _): &&(PickleValue<'_>, _)| *name == PickleValue::Text(key);
        self.entries.iter().rev().find(found).map(|(_, value)| *value)
    }
}
