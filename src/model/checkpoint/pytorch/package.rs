//! The class and arguments of a network, which Demucs saves beside its state (demucs/states.py).

use serde_json::{Map, Number, Value};

use super::objects::{PickleObjects, PickleValue, TorchGlobal};

/// How deeply the arguments may be nested.
const MAX_DEPTH: usize = 8;
/// Most values in the arguments; those of HTDemucs are about 70.
const MAX_VALUES: usize = 10_000;

/// What a network is made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NetworkPackage {
    /// The full name of its class.
    pub(crate) class: String,
    /// The named arguments of the class. A fraction is its value as a float.
    pub(crate) kwargs: Map<String, Value>,
}

/// The package around a state; `None` if the file names no class.
///
/// # Errors
/// What is not understood, in words.
pub(super) fn find(
    objects: &PickleObjects<'_>,
    root: PickleValue<'_>,
) -> Result<Option<NetworkPackage>, String> {
    let PickleValue::Dict(root) = root else { return Ok(None) };
    let entry = |name| objects.dicts[root].get(name);
    let Some(PickleValue::Global(TorchGlobal::Network(class))) = entry("klass") else {
        return Ok(None);
    };
    match entry("args") {
        None => {}
        Some(PickleValue::Tuple(index) | PickleValue::List(index))
            if objects.sequences[index].is_empty() => {}
        Some(_) => return Err("its args are not empty".into()),
    }
    let kwargs = entry("kwargs").ok_or("its class has no kwargs")?;
    match json(objects, kwargs, MAX_DEPTH, &mut MAX_VALUES.clone())? {
        Value::Object(kwargs) => Ok(Some(NetworkPackage { class: class.to_owned(), kwargs })),
        _ => Err("its kwargs are not a dict".into()),
    }
}

fn json(
    objects: &PickleObjects<'_>,
    value: PickleValue<'_>,
    depth: usize,
    left: &mut usize,
) -> Result<Value, String> {
    let too_large = "its kwargs are nested too deeply, or too many";
    let depth = depth.checked_sub(1).ok_or(too_large)?;
    *left = left.checked_sub(1).ok_or(too_large)?;
    let of = |value: &PickleValue<'_>, left: &mut usize| json(objects, *value, depth, left);
    Ok(match value {
        PickleValue::None => Value::Null,
        PickleValue::Bool(value) => value.into(),
        PickleValue::Int(value) => value.into(),
        PickleValue::Float(value) => {
            Value::Number(Number::from_f64(value).ok_or("its kwargs have NaN or infinity")?)
        }
        PickleValue::Text(text) => text.into(),
        PickleValue::Tuple(index) | PickleValue::List(index) => {
            let items = objects.sequences[index].iter().map(|item| of(item, left));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        PickleValue::Dict(index) => {
            let pair = |(key, value): &(PickleValue<'_>, PickleValue<'_>)| match key {
                PickleValue::Text(key) => Ok(((*key).to_owned(), of(value, left)?)),
                other => Err(format!("a name in its kwargs is {}", other.kind())),
            };
            let pairs = objects.dicts[index].entries.iter().map(pair);
            Value::Object(pairs.collect::<Result<_, _>>()?)
        }
        other => return Err(format!("its kwargs hold {}", other.kind())),
    })
}
