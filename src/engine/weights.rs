//! Weights in the authors' own file: safetensors, F16 or F32, computed with as F32.

use std::sync::Arc;

use half::f16;
use ort::session::builder::SessionBuilder;
use ort::value::{DynValue, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::EngineError;
use super::onnx::Shapes;

/// Named tensors, ready to fill the initialisers of a graph.
pub(super) struct Weights {
    model: String,
    tensors: Vec<(String, Arc<DynValue>)>,
    shapes: Shapes,
}

impl Weights {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`EngineError::Load`] naming the first tensor that is not understood.
    pub(super) fn parse(bytes: &[u8], model: &str, name: &str) -> Result<Weights, EngineError> {
        let refused = |reason: String| EngineError::Load { model: model.to_owned(), reason };
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| refused(format!("{name} is no safetensors file: {error}")))?;
        let mut tensors = Vec::with_capacity(file.len());
        let mut shapes = Shapes::new();
        for (name, view) in file.iter() {
            let values = widened(&view).ok_or_else(|| {
                refused(format!("tensor {name} is stored as {:?}, not as F16 or F32", view.dtype()))
            })?;
            let tensor = Tensor::from_array((view.shape().to_vec(), values))
                .map_err(|error| refused(format!("tensor {name}: {error}")))?;
            shapes.insert(name.to_owned(), view.shape().to_vec());
            tensors.push((name.to_owned(), Arc::new(tensor.into_dyn())));
        }
        Ok(Weights { model: model.to_owned(), tensors, shapes })
    }

    /// Their tensors' shapes.
    pub(super) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Offers every tensor to the graph that `builder` is about to load. The tensors stay shared.
    pub(super) fn offer(&self, mut builder: SessionBuilder) -> Result<SessionBuilder, EngineError> {
        for (name, value) in &self.tensors {
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

/// The tensor's values as F32, exactly; `None` for other types.
fn widened(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F16 => {
            let value = |b: &[u8]| f16::from_le_bytes([b[0], b[1]]).to_f32();
            Some(bytes.chunks_exact(2).map(value).collect())
        }
        Dtype::F32 => {
            let value = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            Some(bytes.chunks_exact(4).map(value).collect())
        }
        _ => None,
    }
}
