//! Fills initialisers with values that lie in a file.

use std::collections::BTreeMap;
use std::ops::Range;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::messages::{StringStringEntryMessage, TensorMessage};
use super::wire::{MessageFields, Value};

/// Fields of the messages (onnx.proto).
const GRAPH_OF_MODEL: u32 = 7;
const INITIALISER_OF_GRAPH: u32 = 5;
const NAME_OF_TENSOR: u64 = 8;
const EXTERNAL_DATA_OF_TENSOR: u64 = 13;

/// Where the values of a tensor lie in its file, as little-endian 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlacedTensor {
    /// The dimensions.
    pub(crate) shape: Vec<usize>,
    /// The bytes of the file.
    pub(crate) bytes: Range<u64>,
}

/// The graph whose initialisers of these names have the values that lie in `file`, a name in the folder that the
/// runtime is given. Everything else is as it was.
///
/// # Errors
/// The graph is not one, in words.
pub(crate) fn with_placed(
    graph: &[u8],
    file: &str,
    tensors: &BTreeMap<String, PlacedTensor>,
) -> Result<Vec<u8>, String> {
    rewritten(graph, GRAPH_OF_MODEL, |graph| {
        rewritten(graph, INITIALISER_OF_GRAPH, |tensor| {
            let mut name = "";
            for field in MessageFields::of(tensor) {
                if let (NAME_OF_TENSOR, value) = field? {
                    name = value.text()?;
                }
            }
            tensors
                .get(name)
                .map_or(Ok(tensor.to_owned()), |placed| initialiser(tensor, file, placed))
        })
    })
}

/// An initialiser with these values.
fn initialiser(tensor: &[u8], file: &str, placed: &PlacedTensor) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(tensor.len());
    let mut fields = MessageFields::of(tensor);
    while let Some((field, raw)) = fields.next_raw() {
        if field?.0 != EXTERNAL_DATA_OF_TENSOR {
            bytes.extend_from_slice(raw);
        }
    }
    let length = placed.bytes.end - placed.bytes.start;
    let entries = [
        ("location", file.to_owned()),
        ("offset", placed.bytes.start.to_string()),
        ("length", length.to_string()),
    ];
    let entries =
        entries.map(|(key, value)| StringStringEntryMessage { key: key.to_owned(), value });
    // A message that is appended is merged.
    let added = TensorMessage { external_data: entries.to_vec(), ..TensorMessage::default() };
    bytes.extend(added.encode_to_vec());
    Ok(bytes)
}

/// A message with each of its fields of that number, messages themselves, changed.
fn rewritten(
    message: &[u8],
    number: u32,
    change: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(message.len());
    let mut fields = MessageFields::of(message);
    while let Some((field, raw)) = fields.next_raw() {
        match field? {
            (found, Value::Bytes(value)) if found == u64::from(number) => {
                let changed = change(value)?;
                encode_key(number, WireType::LengthDelimited, &mut bytes);
                encode_varint(changed.len() as u64, &mut bytes);
                bytes.extend(changed);
            }
            _ => bytes.extend_from_slice(raw),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::Graph;
    use super::super::builder::GraphBuilder;
    use super::super::messages::ModelMessage;
    use super::*;

    #[test]
    fn only_placed_initialisers_change() {
        let mut builder = GraphBuilder::default();
        let input = builder.input("mix", &[4, 6]);
        let weight = builder.parameter("weight", &[8, 6]);
        let bias = builder.parameter("bias", &[8]);
        let value = builder.linear(&input, &weight, Some(&bias));
        builder.output(&value, "stems");
        let graph = builder.finish("test", &[("family", "test".to_owned())]);
        let tensor = PlacedTensor { shape: vec![8, 6], bytes: 640..832 };
        let tensors = BTreeMap::from([("weight".to_owned(), tensor)]);
        let placed = with_placed(&graph, "model.ckpt", &tensors).unwrap();
        let [mut before, after] = [&graph, &placed].map(|g| ModelMessage::decode(&g[..]).unwrap());
        let of = |model: &ModelMessage, index: usize| {
            let initialiser = &model.graph.as_ref().unwrap().initializer[index];
            let entries = initialiser.external_data.iter();
            entries.map(|entry| format!("{}={}", entry.key, entry.value)).collect::<Vec<_>>()
        };
        assert_eq!(of(&after, 0), ["location=model.ckpt", "offset=640", "length=192"]);
        assert_eq!(of(&after, 1), of(&before, 1));
        let changed = after.graph.as_ref().unwrap().initializer[0].external_data.clone();
        before.graph.as_mut().unwrap().initializer[0].external_data = changed;
        assert_eq!(after, before);
        assert_eq!(Graph::parse(&placed).unwrap().open_initialisers().len(), 2);
    }

    #[test]
    fn nothing_changes_without_placed_tensors() {
        let graph = include_bytes!("../../../models/mini/graph.onnx");
        assert_eq!(with_placed(graph, "x", &BTreeMap::new()).unwrap(), graph);
        assert!(with_placed(&graph[..100], "x", &BTreeMap::new()).is_err());
    }
}
