//! The part of `onnx.proto` (github.com/onnx/onnx) that is written.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelMessage {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphMessage>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSetIdMessage>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<StringStringEntryMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSetIdMessage {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeMessage>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorMessage>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfoMessage>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfoMessage>,
    #[prost(message, repeated, tag = "13")]
    pub(super) value_info: Vec<ValueInfoMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeMessage {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeMessage>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub(super) r#type: i32,
}

impl AttributeMessage {
    /// Values of `type`.
    pub(super) const FLOAT: i32 = 1;
    pub(super) const INT: i32 = 2;
    pub(super) const INTS: i32 = 7;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorMessage {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<StringStringEntryMessage>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

impl TensorMessage {
    /// Value of `data_location` for values outside of the file.
    pub(super) const EXTERNAL: i32 = 1;
    /// Values of `data_type`, and of `elem_type`.
    pub(super) const FLOAT: i32 = 1;
    pub(super) const INT64: i32 = 7;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<TypeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_type: Option<TensorTypeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeMessage {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShapeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShapeMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<DimensionMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionMessage {
    #[prost(int64, optional, tag = "1")]
    pub(super) dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) dim_param: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringStringEntryMessage {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}
