//! Reads ONNX files without running them: inputs and outputs, initialisers, metadata. [`SelfContained`] checks files of unknown
//! origin, [`builder`] writes graphs, [`with_placed`] changes where their weights are, [`with_open_shapes`] what the runtime knows
//! of their sizes.
//!
//! The messages are the part of `onnx.proto` (github.com/onnx/onnx) that is used; the rest of a file is skipped.

mod axes;
pub(crate) mod builder;
mod messages;
mod open_shapes;
mod placed;
mod self_contained;
mod wire;

use std::collections::BTreeMap;

use prost::Message;

pub(crate) use open_shapes::with_open_shapes;
pub(crate) use placed::{PlacedTensor, with_placed};
pub(crate) use self_contained::{MOST_BYTES, SelfContained, SpectrumPorts};

/// Shapes of tensors by name.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// A parsed graph.
#[derive(Debug)]
pub(crate) struct Graph {
    model: ModelProto,
}

impl Graph {
    /// Parses a file.
    ///
    /// # Errors
    /// The fault, in words.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Graph, String> {
        let model =
            ModelProto::decode(bytes).map_err(|error| format!("not an ONNX graph: {error}"))?;
        if model.graph.is_none() {
            return Err("not an ONNX graph: the file has no graph".into());
        }
        Ok(Graph { model })
    }

    /// The initialisers without values in the file, which are filled by name.
    pub(crate) fn open_initialisers(&self) -> Shapes {
        let initialisers = self.model.graph.iter().flat_map(|graph| &graph.initializer);
        let open = initialisers.filter(|tensor| tensor.data_location == TensorProto::EXTERNAL);
        let shape = |tensor: &TensorProto| {
            tensor.dims.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect()
        };
        open.map(|tensor| (tensor.name.clone(), shape(tensor))).collect()
    }

    /// The dimensions of an input or output; -1 for an open one.
    pub(crate) fn port(&self, name: &str) -> Option<Vec<i64>> {
        let graph = self.model.graph.as_ref()?;
        let port = graph.input.iter().chain(&graph.output).find(|port| port.name == name)?;
        let shape = port.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
        Some(shape.dim.iter().map(|size| size.dim_value.unwrap_or(-1)).collect())
    }

    /// An entry of the metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.model.metadata_props.iter().find(|entry| entry.key == key)?;
        Some(&entry.value)
    }
}

/// Compares the tensors of a weight file with those of a graph.
///
/// # Errors
/// The first difference by name, in words.
pub(crate) fn compare(wanted: &Shapes, found: &Shapes) -> Result<(), String> {
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    for name in names {
        match (wanted.get(name), found.get(name)) {
            (Some(wanted), Some(found)) if wanted != found => {
                return Err(format!(
                    "tensor {name} has the shape {found:?}, the graph requires {wanted:?}"
                ));
            }
            (Some(wanted), None) => {
                return Err(format!("tensor {name} {wanted:?} is missing"));
            }
            (None, Some(found)) => {
                return Err(format!("the graph has no tensor {name} {found:?}"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

impl TensorProto {
    /// Value of `data_location` for values outside of the file.
    const EXTERNAL: i32 = 1;
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, Message)]
struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_without_weights_has_tensors_ports_and_arguments() {
        let graph = Graph::parse(include_bytes!("../../../models/mini/graph.onnx")).unwrap();
        let open = graph.open_initialisers();
        assert_eq!(open["decoder.0.conv_tr.bias"].len(), 1);
        assert_eq!(graph.port("mix"), Some(vec![1, 2, 176_400]));
        assert_eq!(graph.port("stems"), Some(vec![1, 4, 2, 176_400]));
        assert!(graph.metadata("kwargs").unwrap().contains("sources"));
        assert!(graph.port("nosuch").is_none() && graph.metadata("nosuch").is_none());
        assert!(Graph::parse(b"no graph").is_err() && Graph::parse(b"").is_err());
    }

    #[test]
    fn the_first_difference_is_named() {
        let shapes = |list: &[(&str, &[usize])]| -> Shapes {
            list.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
        };
        let wanted = shapes(&[("a", &[2, 3]), ("b", &[4])]);
        assert_eq!(compare(&wanted, &wanted), Ok(()));
        for (found, expected) in [
            (shapes(&[("b", &[4])]), "tensor a [2, 3] is missing"),
            (shapes(&[("a", &[2, 3]), ("b", &[5])]), "tensor b has the shape [5]"),
            (shapes(&[("a", &[2, 3]), ("b", &[4]), ("c", &[1])]), "no tensor c [1]"),
        ] {
            let error = compare(&wanted, &found).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
