//! Builds ONNX graphs without weights. Every value has its shape, so that layers read their sizes off what they are given.
//!
//! It does what `models/tools/graph/builder.py` does, for families whose networks differ so much that a graph is made for each
//! model that is imported.

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

    // Operators, in the few forms that are needed.

    /// An operator on one value that keeps its shape.
    pub(crate) fn unary(&mut self, kind: &str, value: &GraphValue) -> GraphValue {
        self.node(kind, &[value], &[], &value.shape)
    }

    /// An operator on two values, of which the second is repeated along its axes of length 1.
    pub(crate) fn binary(
        &mut self,
        kind: &str,
        left: &GraphValue,
        right: &GraphValue,
    ) -> GraphValue {
        self.node(kind, &[left, right], &[], &left.shape)
    }

    /// The same values in another shape.
    pub(crate) fn reshape(&mut self, value: &GraphValue, shape: &[usize]) -> GraphValue {
        debug_assert_eq!(value.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        if value.shape == shape {
            return value.clone();
        }
        let wanted = self.whole(shape, &[shape.len()]);
        self.node("Reshape", &[value, &wanted], &[], shape)
    }

    /// The axes in another order.
    pub(crate) fn transpose(&mut self, value: &GraphValue, order: &[usize]) -> GraphValue {
        let shape: Vec<usize> = order.iter().map(|&axis| value.shape[axis]).collect();
        self.node("Transpose", &[value], &[("perm", Attribute::Ints(order.to_vec()))], &shape)
    }

    /// Parts of these sizes along an axis.
    pub(crate) fn split(
        &mut self,
        value: &GraphValue,
        sizes: &[usize],
        axis: usize,
    ) -> Vec<GraphValue> {
        if sizes.len() == 1 {
            return vec![value.clone()];
        }
        let parts: Vec<GraphValue> =
            sizes.iter().map(|&size| self.value(&with(&value.shape, axis, size))).collect();
        let sizes = self.whole(sizes, &[sizes.len()]);
        let names = parts.iter().map(|part| part.name.clone()).collect();
        self.push(("", "Split"), &[value, &sizes], &[("axis", Attribute::Int(axis))], names);
        parts
    }

    /// The places `from..to` of an axis.
    pub(crate) fn slice(
        &mut self,
        value: &GraphValue,
        axis: usize,
        from: usize,
        to: usize,
    ) -> GraphValue {
        let [from_value, to_value, axes] = [from, to, axis].map(|at| self.whole(&[at], &[1]));
        let shape = with(&value.shape, axis, to - from);
        self.node("Slice", &[value, &from_value, &to_value, &axes], &[], &shape)
    }

    /// Values one behind the other along an axis.
    pub(crate) fn concat(&mut self, values: &[GraphValue], axis: usize) -> GraphValue {
        if let [only] = values {
            return only.clone();
        }
        let size = values.iter().map(|value| value.shape[axis]).sum();
        let shape = with(&values[0].shape, axis, size);
        let inputs: Vec<&GraphValue> = values.iter().collect();
        self.node("Concat", &inputs, &[("axis", Attribute::Int(axis))], &shape)
    }

    /// `[rows, outputs]` from `[rows, inputs]`, a weight `[outputs, inputs]` and a bias `[outputs]`.
    pub(crate) fn linear(
        &mut self,
        value: &GraphValue,
        weight: &GraphValue,
        bias: Option<&GraphValue>,
    ) -> GraphValue {
        let inputs: Vec<&GraphValue> = [value, weight].into_iter().chain(bias).collect();
        let shape = [value.shape[0], weight.shape[0]];
        self.node("Gemm", &inputs, &[("transB", Attribute::Int(1))], &shape)
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

fn with(shape: &[usize], axis: usize, size: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = size;
    shape
}

fn signed(values: &[usize]) -> Vec<i64> {
    values.iter().map(|&value| i64::try_from(value).unwrap_or(i64::MAX)).collect()
}

fn port(name: &str, shape: &[usize]) -> ValueInfoMessage {
    let dim = signed(shape).into_iter().map(|size| DimensionMessage { dim_value: Some(size) });
    let shape = Some(TensorShapeMessage { dim: dim.collect() });
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

#[cfg(test)]
mod tests;
