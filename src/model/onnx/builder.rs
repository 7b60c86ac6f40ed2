//! Builds ONNX graphs without weights. Every value has its shape, so that layers read their sizes off what they are given.
//!
//! It does what `models/tools/graph/builder.py` does, for families whose networks differ so much that a graph is made for each
//! model that is imported.

mod operators;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use prost::Message;

use super::messages::{
    AttributeMessage, DimensionMessage, GraphMessage, ModelMessage, NodeMessage,
    OperatorSetIdMessage, StringStringEntryMessage, TensorMessage, TensorShapeMessage,
    TensorTypeMessage, TypeMessage, ValueInfoMessage,
};

/// The first with Gelu, and what it came with, so that old runtimes load the file.
const OPSET: i64 = 20;
const IR_VERSION: i64 = 9;

/// The operators that ONNX Runtime has in addition.
const CONTRIBUTED: &str = "com.microsoft";

/// Initialisers must name a file. There is none: each tensor is filled by its name.
const NOWHERE: &str = "given-by-name";

/// A tensor of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphValue {
    name: String,
    pub(crate) shape: Vec<usize>,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Int(usize),
    Ints(Vec<usize>),
    Float(f32),
}

/// Collects the nodes of a graph.
#[derive(Debug, Default)]
pub(crate) struct GraphBuilder {
    graph: GraphMessage,
    values: usize,
    /// Index of each parameter and constant in the initialisers.
    parameters: HashMap<String, usize>,
    constants: HashMap<(i32, Vec<usize>, Vec<u8>), GraphValue>,
}

impl GraphBuilder {
    /// An input of the graph.
    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) -> GraphValue {
        self.graph.input.push(port(name, shape));
        GraphValue { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// Makes `value` an output of the graph.
    pub(crate) fn output(&mut self, value: &GraphValue, name: &str) {
        let inputs = vec![value.name.clone()];
        self.graph.node.push(NodeMessage {
            input: inputs,
            output: vec![name.to_owned()],
            op_type: "Identity".to_owned(),
            ..NodeMessage::default()
        });
        self.graph.output.push(port(name, &value.shape));
    }

    /// A tensor of the checkpoint. All uses of a name have the same shape.
    pub(crate) fn parameter(&mut self, name: &str, shape: &[usize]) -> GraphValue {
        if !self.parameters.contains_key(name) {
            let length = 4 * shape.iter().product::<usize>();
            let entries = [("location", NOWHERE.to_owned()), ("offset", "0".to_owned())];
            let entries = entries.into_iter().chain([("length", length.to_string())]);
            self.parameters.insert(name.to_owned(), self.graph.initializer.len());
            self.graph.initializer.push(TensorMessage {
                dims: signed(shape),
                data_type: TensorMessage::FLOAT,
                name: name.to_owned(),
                external_data: entries
                    .map(|(key, value)| StringStringEntryMessage { key: key.to_owned(), value })
                    .collect(),
                data_location: TensorMessage::EXTERNAL,
                ..TensorMessage::default()
            });
        }
        GraphValue { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// A constant of 32-bit floats; equal ones are stored once.
    pub(crate) fn floats(&mut self, values: &[f32], shape: &[usize]) -> GraphValue {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorMessage::FLOAT, shape, bytes)
    }

    /// A constant of whole numbers, as shapes, axes and indices are.
    pub(crate) fn whole(&mut self, values: &[usize], shape: &[usize]) -> GraphValue {
        let bytes = signed(values).iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorMessage::INT64, shape, bytes)
    }

    fn constant(&mut self, data_type: i32, shape: &[usize], raw_data: Vec<u8>) -> GraphValue {
        let key = (data_type, shape.to_vec(), raw_data);
        if let Some(value) = self.constants.get(&key) {
            return value.clone();
        }
        let name = format!("constant_{}", self.constants.len());
        self.graph.initializer.push(TensorMessage {
            dims: signed(shape),
            data_type,
            name: name.clone(),
            raw_data: key.2.clone(),
            ..TensorMessage::default()
        });
        let value = GraphValue { name, shape: shape.to_vec() };
        self.constants.insert(key, value.clone());
        value
    }

    /// A node with one output.
    pub(crate) fn node(
        &mut self,
        kind: &str,
        inputs: &[&GraphValue],
        attributes: &[(&str, Attribute)],
        shape: &[usize],
    ) -> GraphValue {
        let value = self.value(shape);
        self.push(("", kind), inputs, attributes, vec![value.name.clone()]);
        value
    }

    /// A node of an operator that ONNX Runtime has in addition, with one output.
    pub(crate) fn contributed(
        &mut self,
        kind: &str,
        inputs: &[&GraphValue],
        attributes: &[(&str, Attribute)],
        shape: &[usize],
    ) -> GraphValue {
        let value = self.value(shape);
        self.push((CONTRIBUTED, kind), inputs, attributes, vec![value.name.clone()]);
        value
    }

    fn value(&mut self, shape: &[usize]) -> GraphValue {
        self.values += 1;
        GraphValue { name: format!("v{}", self.values), shape: shape.to_vec() }
    }

    fn push(
        &mut self,
        (domain, kind): (&str, &str),
        inputs: &[&GraphValue],
        attributes: &[(&str, Attribute)],
        output: Vec<String>,
    ) {
        self.graph.node.push(NodeMessage {
            input: inputs.iter().map(|value| value.name.clone()).collect(),
            output,
            op_type: kind.to_owned(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: domain.to_owned(),
        });
    }

    /// The finished file.
    pub(crate) fn finish(self, name: &str, metadata: &[(&str, String)]) -> Vec<u8> {
        let opset =
            |domain: &str, version| OperatorSetIdMessage { domain: domain.to_owned(), version };
        let entry = |(key, value): &(&str, String)| StringStringEntryMessage {
            key: (*key).to_owned(),
            value: value.clone(),
        };
        let model = ModelMessage {
            ir_version: IR_VERSION,
            producer_name: "stemwire".to_owned(),
            graph: Some(GraphMessage { name: name.to_owned(), ..self.graph }),
            opset_import: vec![opset("", OPSET), opset(CONTRIBUTED, 1)],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        model.encode_to_vec()
    }
}

fn signed(values: &[usize]) -> Vec<i64> {
    values.iter().map(|&value| i64::try_from(value).unwrap_or(i64::MAX)).collect()
}

fn port(name: &str, shape: &[usize]) -> ValueInfoMessage {
    let size = |size| DimensionMessage { dim_value: Some(size), ..DimensionMessage::default() };
    let shape = Some(TensorShapeMessage { dim: signed(shape).into_iter().map(size).collect() });
    let tensor = TensorTypeMessage { elem_type: TensorMessage::FLOAT, shape };
    ValueInfoMessage {
        name: name.to_owned(),
        r#type: Some(TypeMessage { tensor_type: Some(tensor) }),
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeMessage {
    let named = AttributeMessage { name: name.to_owned(), ..AttributeMessage::default() };
    match value {
        Attribute::Int(value) => AttributeMessage {
            i: signed(&[*value]).first().copied(),
            r#type: AttributeMessage::INT,
            ..named
        },
        Attribute::Ints(values) => {
            AttributeMessage { ints: signed(values), r#type: AttributeMessage::INTS, ..named }
        }
        Attribute::Float(value) => {
            AttributeMessage { f: Some(*value), r#type: AttributeMessage::FLOAT, ..named }
        }
    }
}
