//! Graphs whose shapes are known only when they run.
//!
//! ONNX Runtime gives the memory of a value that is no longer needed to a later one of the same shape, however much later: until
//! then nothing else may use it, so that memory of every shape lies idle through most of a run. Of values whose shape it does not
//! know beforehand it returns the memory to its arena at once, where it serves values of any shape.
//!
//! Not even the number of axes may be known: for every value of which the runtime knows that much, it searches all memory that
//! is free by then for a shape that fits, which in HTDemucs takes a second when the graph is opened. Inputs of soft-max are an
//! exception. The runtime computes in place only where it knows that both shapes are one; so their sizes have names, which
//! no other value has and for which nothing is kept.

use std::collections::HashSet;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::axes::AxisCounts;
use super::messages::{
    DimensionMessage, NodeMessage, TensorMessage, TensorShapeMessage, TensorTypeMessage,
    TypeMessage, ValueInfoMessage,
};
use super::wire::{MessageFields, Value};

/// No value has more axes.
const MOST_AXES: usize = 16;

/// Fields of the messages (onnx.proto).
const GRAPH_OF_MODEL: u64 = 7;
const NODE_OF_GRAPH: u64 = 1;
const INITIALISER_OF_GRAPH: u64 = 5;
const INPUT_OF_GRAPH: u64 = 11;
const OUTPUT_OF_GRAPH: u64 = 12;
const VALUE_OF_GRAPH: u64 = 13;
const NAME_OF_TENSOR: u64 = 8;

/// Batch and channels: operators read the number of channels off the shape.
const STATED: usize = 2;

/// Names of the added values, which no other graph has.
const SHAPE: &str = "stemwire:shape";
const LAST: &str = "stemwire:last";
const SIZES: &str = "stemwire:sizes";
const ALL: &str = "stemwire:all";
const OPENED: &str = "stemwire:open:";

/// The graph with open sizes of inputs and outputs, but for batch and channels, and with shapes for Reshape that are computed
/// when it runs. It computes the same.
///
/// # Errors
/// The graph is not one, in words.
pub(crate) fn with_open_shapes(model: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(model.len() + model.len() / 16);
    let mut fields = MessageFields::of(model);
    while let Some((field, raw)) = fields.next_raw() {
        match field? {
            (GRAPH_OF_MODEL, Value::Bytes(graph)) => {
                append(&mut bytes, GRAPH_OF_MODEL, &opened(graph)?);
            }
            _ => bytes.extend_from_slice(raw),
        }
    }
    Ok(bytes)
}

fn opened(graph: &[u8]) -> Result<Vec<u8>, String> {
    let mut constants = HashSet::new();
    let mut inputs = Vec::new();
    for field in MessageFields::of(graph) {
        match field? {
            (INITIALISER_OF_GRAPH, Value::Bytes(tensor)) => {
                constants.insert(name_of_tensor(tensor)?.to_owned());
            }
            (INPUT_OF_GRAPH, Value::Bytes(port)) => inputs.push(decoded::<ValueInfoMessage>(port)?),
            _ => {}
        }
    }
    // Old graphs count their initialisers among the inputs.
    let Some(input) = inputs.iter().find(|input| !constants.contains(&input.name)) else {
        return Ok(graph.to_owned());
    };
    let mut bytes = Vec::with_capacity(graph.len() + graph.len() / 16);
    append(&mut bytes, INITIALISER_OF_GRAPH, &last_axis(input).encode_to_vec());
    // A size that is known only when the graph runs equals itself: a shape of which all is chosen has all its sizes, but the
    // runtime does not know beforehand how many.
    for node in [
        node_of("Shape", &[&input.name], SHAPE),
        node_of("Gather", &[SHAPE, LAST], SIZES),
        node_of("Equal", &[SIZES, SIZES], ALL),
    ] {
        append(&mut bytes, NODE_OF_GRAPH, &node.encode_to_vec());
    }
    let mut shapes = HashSet::new();
    let mut axes = AxisCounts::default();
    let mut fields = MessageFields::of(graph);
    while let Some((field, raw)) = fields.next_raw() {
        match field? {
            (number @ (INPUT_OF_GRAPH | OUTPUT_OF_GRAPH), Value::Bytes(port)) => {
                let port = without_sizes(decoded(port)?, &constants);
                append(&mut bytes, number, &port.encode_to_vec());
            }
            (NODE_OF_GRAPH, Value::Bytes(node)) => {
                let parts = decoded::<NodeMessage>(node)?;
                axes.add(&parts);
                if let Some(value) = with_named_sizes(&parts, &axes) {
                    append(&mut bytes, VALUE_OF_GRAPH, &value.encode_to_vec());
                }
                if parts.input.iter().all(|name| name.is_empty() || constants.contains(name)) {
                    // The runtime computes it once, before it plans its memory.
                    constants.extend(parts.output);
                    bytes.extend_from_slice(raw);
                } else if let Some(shape) = fixed_shape(&parts, &constants) {
                    if shapes.insert(shape.to_owned()) {
                        let chosen = node_of("Compress", &[shape, ALL], &opened_name(shape));
                        append(&mut bytes, NODE_OF_GRAPH, &chosen.encode_to_vec());
                    }
                    append(&mut bytes, NODE_OF_GRAPH, &with_shape(node, &opened_name(shape))?);
                } else {
                    bytes.extend_from_slice(raw);
                }
            }
            _ => bytes.extend_from_slice(raw),
        }
    }
    Ok(bytes)
}

/// The name of the shape of a node that makes the shape of a value a constant.
fn fixed_shape<'a>(node: &'a NodeMessage, constants: &HashSet<String>) -> Option<&'a str> {
    let shape = node.input.get(1).filter(|shape| constants.contains(*shape))?;
    (node.domain.is_empty() && node.op_type == "Reshape").then_some(shape)
}

/// The input of a soft-max with sizes that are known by name only.
fn with_named_sizes(node: &NodeMessage, axes: &AxisCounts) -> Option<ValueInfoMessage> {
    let name =
        node.input.first().filter(|_| node.op_type == "Softmax" && node.domain.is_empty())?;
    let size = |axis| DimensionMessage {
        dim_param: Some(format!("{OPENED}{name}:{axis}")),
        ..DimensionMessage::default()
    };
    let shape = TensorShapeMessage { dim: (0..axes.of(name)?).map(size).collect() };
    let tensor = TensorTypeMessage { elem_type: TensorMessage::FLOAT, shape: Some(shape) };
    let r#type = Some(TypeMessage { tensor_type: Some(tensor) });
    Some(ValueInfoMessage { name: name.clone(), r#type })
}

fn opened_name(shape: &str) -> String {
    format!("{OPENED}{shape}")
}

/// The index of the last axis of a port, whose size the runtime does not know beforehand, once for each axis of a shape.
fn last_axis(port: &ValueInfoMessage) -> TensorMessage {
    let tensor = port.r#type.as_ref().and_then(|r#type| r#type.tensor_type.as_ref());
    let rank = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(1, |shape| shape.dim.len());
    TensorMessage {
        dims: vec![MOST_AXES as i64],
        data_type: TensorMessage::INT64,
        name: LAST.to_owned(),
        raw_data: (rank.max(1) as i64 - 1).to_le_bytes().repeat(MOST_AXES),
        ..TensorMessage::default()
    }
}

fn node_of(kind: &str, inputs: &[&str], output: &str) -> NodeMessage {
    NodeMessage {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: kind.to_owned(),
        ..NodeMessage::default()
    }
}

fn without_sizes(mut port: ValueInfoMessage, constants: &HashSet<String>) -> ValueInfoMessage {
    let tensor = port.r#type.as_mut().and_then(|r#type| r#type.tensor_type.as_mut());
    if let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_mut())
        && !constants.contains(&port.name)
    {
        shape.dim.iter_mut().skip(STATED).for_each(|size| *size = DimensionMessage::default());
    }
    port
}

/// The node with another name of its second input.
fn with_shape(node: &[u8], shape: &str) -> Result<Vec<u8>, String> {
    const INPUT_OF_NODE: u64 = 1;
    let mut bytes = Vec::with_capacity(node.len() + OPENED.len());
    let mut inputs = 0;
    let mut fields = MessageFields::of(node);
    while let Some((field, raw)) = fields.next_raw() {
        let is_input = field?.0 == INPUT_OF_NODE;
        inputs += usize::from(is_input);
        if is_input && inputs == 2 {
            append(&mut bytes, INPUT_OF_NODE, shape.as_bytes());
        } else {
            bytes.extend_from_slice(raw);
        }
    }
    Ok(bytes)
}

fn name_of_tensor(tensor: &[u8]) -> Result<&str, String> {
    let mut name = "";
    for field in MessageFields::of(tensor) {
        if let (NAME_OF_TENSOR, value) = field? {
            name = value.text()?;
        }
    }
    Ok(name)
}

fn decoded<M: Message + Default>(bytes: &[u8]) -> Result<M, String> {
    M::decode(bytes).map_err(|error| format!("not an ONNX graph: {error}"))
}

fn append(bytes: &mut Vec<u8>, number: u64, message: &[u8]) {
    encode_key(number as u32, WireType::LengthDelimited, bytes);
    encode_varint(message.len() as u64, bytes);
    bytes.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::super::Graph;
    use super::super::messages::ModelMessage;
    use super::*;

    #[test]
    fn sizes_are_open_and_shapes_are_computed() {
        let graph = include_bytes!("../../../models/mini/graph.onnx");
        let open = with_open_shapes(graph).unwrap();
        let parsed = Graph::parse(&open).unwrap();
        assert_eq!(parsed.port("mix"), Some(vec![1, 2, -1]));
        assert_eq!(parsed.port("stem_spectrograms"), Some(vec![1, 4, -1, -1, -1]));
        let before = Graph::parse(graph).unwrap();
        assert_eq!(parsed.open_initialisers(), before.open_initialisers());
        assert_eq!(parsed.metadata("kwargs"), before.metadata("kwargs"));

        let [before, after] =
            [&graph[..], &open].map(|bytes| ModelMessage::decode(bytes).unwrap().graph.unwrap());
        let mut known: HashSet<&str> = after.initializer.iter().map(|one| &*one.name).collect();
        known.extend(after.input.iter().map(|port| &*port.name));
        let mut opened = 0;
        for node in &after.node {
            assert!(node.input.iter().all(|name| known.contains(&**name)), "{node:?}");
            known.extend(node.output.iter().map(|name| &**name));
            opened += usize::from(node.input.get(1).is_some_and(|name| name.starts_with(OPENED)));
        }
        assert!(opened > 10, "{opened}");
        // Besides what is added, only names of shapes differ.
        let added = |node: &&NodeMessage| {
            ![SHAPE, SIZES, ALL].contains(&&*node.output[0]) && !node.output[0].starts_with(OPENED)
        };
        let restored = after.node.iter().filter(added).map(|node| {
            let mut node = node.clone();
            for name in &mut node.input {
                *name = name.trim_start_matches(OPENED).to_owned();
            }
            node
        });
        assert_eq!(restored.collect::<Vec<_>>(), before.node);
    }

    #[test]
    fn sizes_of_scores_have_names_of_their_own() {
        let graph = include_bytes!("../../../models/mini/graph.onnx");
        let open = ModelMessage::decode(&*with_open_shapes(graph).unwrap()).unwrap();
        let graph = open.graph.unwrap();
        // Another one is that of the masks.
        let of_attention = |node: &&NodeMessage| {
            node.op_type == "Softmax" && node.input[0].starts_with("crosstransformer")
        };
        let inputs: Vec<_> = graph.node.iter().filter(of_attention).collect();
        assert!(inputs.len() > 5, "{}", inputs.len());
        assert_eq!(graph.value_info.len(), inputs.len());
        let mut sizes = HashSet::new();
        for (value, node) in graph.value_info.into_iter().zip(inputs) {
            assert_eq!(value.name, node.input[0]);
            let tensor = value.r#type.unwrap().tensor_type.unwrap();
            let dim = tensor.shape.unwrap().dim;
            // Heads, queries, keys.
            assert_eq!((tensor.elem_type, dim.len()), (TensorMessage::FLOAT, 3), "{}", value.name);
            for size in dim {
                assert_eq!(size.dim_value, None);
                assert!(sizes.insert(size.dim_param.unwrap()), "{}", value.name);
            }
        }
    }

    #[test]
    fn what_is_no_graph_is_refused() {
        let graph = include_bytes!("../../../models/mini/graph.onnx");
        assert!(with_open_shapes(&graph[..100]).is_err());
        assert_eq!(with_open_shapes(b""), Ok(Vec::new()));
    }
}
