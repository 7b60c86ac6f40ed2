//! Weights in the authors' own file, computed with as F32: safetensors of F16 or F32, or a checkpoint of
//! TensorFlow's in a `.tar.gz`.

use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::engine::EngineError;
use crate::model::checkpoint::tensorflow;
use crate::model::onnx::{Graph, Shapes, compare};

/// How the name of a checkpoint of TensorFlow's ends.
const BUNDLE: &str = ".tar.gz";

/// Named tensors, ready to fill the initialisers of a graph.
pub(crate) struct Weights {
    model: String,
    tensors: Vec<(String, Arc<DynValue>)>,
    shapes: Shapes,
    /// Whether the file also holds what only training needs, so that a graph need not know all of it.
    with_surplus: bool,
}

impl Weights {
    /// Reads a file of weights, whose name tells its form.
    ///
    /// # Errors
    /// [`EngineError::Load`] naming the first thing that is wrong.
    pub(crate) fn parse(bytes: &[u8], model: &str, name: &str) -> Result<Weights, EngineError> {
        let refused = |reason: String| EngineError::Load { model: model.to_owned(), reason };
        let with_surplus = name.ends_with(BUNDLE);
        let found = if with_surplus { tensorflow::read(bytes) } else { safetensors(bytes) };
        let found = found.map_err(|reason| refused(format!("{name}: {reason}")))?;
        let mut tensors = Vec::with_capacity(found.len());
        let mut shapes = Shapes::new();
        for tensorflow::Tensor { name, shape, values } in found {
            let tensor = Tensor::from_array((shape.clone(), values))
                .map_err(|error| refused(format!("tensor {name}: {error}")))?;
            shapes.insert(name.clone(), shape);
            tensors.push((name, Arc::new(tensor.into_dyn())));
        }
        Ok(Weights { model: model.to_owned(), tensors, shapes, with_surplus })
    }

    /// Whether the tensors are those that a graph wants to be given.
    ///
    /// # Errors
    /// The first difference by name, in words.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), String> {
        let wanted = graph.open_initialisers();
        let mut found = self.shapes.clone();
        if self.with_surplus {
            found.retain(|name, _| wanted.contains_key(name));
        }
        compare(&wanted, &found)
    }

    /// Offers the tensors that it wants to the graph that `builder` is about to load. They stay shared.
    pub(crate) fn offer(
        &self,
        mut builder: SessionBuilder,
        graph: &[u8],
    ) -> Result<SessionBuilder, EngineError> {
        let refused = |reason| EngineError::Load { model: self.model.clone(), reason };
        let wanted = Graph::parse(graph).map_err(refused)?.open_initialisers();
        for (name, value) in self.tensors.iter().filter(|(name, _)| wanted.contains_key(name)) {
            builder =
                builder.with_external_initializer(name, Arc::clone(value)).map_err(|error| {
                    EngineError::Load {
                        model: self.model.clone(),
                        reason: format!("tensor {name}: {error}"),
                    }
                })?;
        }
        Ok(builder)
    }
}

/// The tensors of a safetensors file.
fn safetensors(bytes: &[u8]) -> Result<Vec<tensorflow::Tensor>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("no safetensors file: {e}"))?;
    let tensor = |(name, view): (&str, TensorView<'_>)| {
        let values = widened(&view).ok_or_else(|| {
            format!("tensor {name} is stored as {:?}, not as F16 or F32", view.dtype())
        })?;
        Ok(tensorflow::Tensor { name: name.to_owned(), shape: view.shape().to_vec(), values })
    };
    file.iter().map(tensor).collect()
}

/// The tensor's values as F32, exactly; `None` for other types.
fn widened(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F16 => {
            let (halves, _) = bytes.as_chunks::<2>();
            let mut values = vec![0.0; halves.len()];
            // The processor widens several at once, of those that lie in a row as numbers.
            let mut row = [f16::ZERO; 1024];
            for (values, halves) in values.chunks_mut(row.len()).zip(halves.chunks(row.len())) {
                let row = &mut row[..values.len()];
                row.iter_mut().zip(halves).for_each(|(value, &b)| *value = f16::from_le_bytes(b));
                row.convert_to_f32_slice(values);
            }
            Some(values)
        }
        Dtype::F32 => {
            let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            Some(bytes.chunks_exact(4).map(value).collect())
        }
        _ => None,
    }
}
