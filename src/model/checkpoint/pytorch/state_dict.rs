//! Finds the tensors of a network among the objects of a pickle.

use std::collections::BTreeSet;

use super::objects::{PickleDict, PickleObjects, PickleValue};

/// Entries of training files that hold the tensors of the network, the preferred first: SCNet's training keeps its best
/// state beside the last.
const WRAPPERS: [&str; 5] = ["best_state", "state", "state_dict", "model_state_dict", "model"];

/// Prefix of all names in files of `DistributedDataParallel`.
const PARALLEL_PREFIX: &str = "module.";

/// Longest name of a tensor.
const MAX_NAME: usize = 256;

/// The tensors of the network by name, as indices into [`PickleObjects::tensors`].
///
/// # Errors
/// The first thing that is not a tensor, in words.
pub(super) fn find<'a>(
    objects: &PickleObjects<'a>,
    root: PickleValue<'a>,
) -> Result<Vec<(&'a str, usize)>, String> {
    let root =
        dict(objects, root).ok_or_else(|| format!("it holds {}, not a dict", root.kind()))?;
    let wrapped = || WRAPPERS.iter().filter_map(|name| dict(objects, root.get(name)?)).next();
    let state = if has_tensors(root) { root } else { wrapped().unwrap_or(root) };
    if !has_tensors(state) {
        return Err(format!("it holds no tensors; its entries are {}", names(state)));
    }
    let mut tensors = state.entries.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    if tensors.iter().all(|(name, _)| name.starts_with(PARALLEL_PREFIX)) {
        tensors.iter_mut().for_each(|(name, _)| *name = &name[PARALLEL_PREFIX.len()..]);
    }
    let mut seen = BTreeSet::new();
    match tensors.iter().find(|(name, _)| !seen.insert(*name)) {
        Some((name, _)) => Err(format!("it holds tensor {name} twice")),
        None => Ok(tensors),
    }
}

fn tensor<'a>(
    (name, value): &(PickleValue<'a>, PickleValue<'a>),
) -> Result<(&'a str, usize), String> {
    let PickleValue::Text(name) = *name else {
        return Err(format!("the name of a tensor is {}", name.kind()));
    };
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err("the name of a tensor is too long, or not printable".into());
    }
    match value {
        PickleValue::Tensor(index) => Ok((name, *index)),
        other => Err(format!("{name} is {}, not a tensor", other.kind())),
    }
}

fn dict<'o, 'a>(
    objects: &'o PickleObjects<'a>,
    value: PickleValue<'a>,
) -> Option<&'o PickleDict<'a>> {
    match value {
        PickleValue::Dict(index) => objects.dicts.get(index),
        _ => None,
    }
}

fn has_tensors(dict: &PickleDict<'_>) -> bool {
    dict.entries.iter().any(|(_, value)| matches!(value, PickleValue::Tensor(_)))
}

/// The first names of a dict, for messages.
fn names(dict: &PickleDict<'_>) -> String {
    let name = |(key, _): &(PickleValue<'_>, _)| match key {
        PickleValue::Text(name) => name.escape_debug().take(40).collect(),
        other => other.kind().to_owned(),
    };
    let names: Vec<String> = dict.entries.iter().take(8).map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
