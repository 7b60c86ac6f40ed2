//! Loads a model: the inference of its family.

use std::sync::Arc;

use super::bag::Bag;
use super::htdemucs::Htdemucs;
use super::mdx::Mdx;
use super::spectral::SpectralNetwork;
use super::spleeter::Spleeter;
use crate::engine::{Engine, EngineError, ExecutionConfig};
use crate::model::Model;
use crate::model::card::Family;

/// Loads `model` into memory, ready to run. A bag loads its specialists when their stems are wanted.
///
/// # Errors
/// [`EngineError::Model`] if a file is missing, has another hash or does not fit; [`EngineError::Load`] if the runtime
/// refuses the graph.
pub fn load(model: &Arc<Model>, config: &ExecutionConfig) -> Result<Box<dyn Engine>, EngineError> {
    let card = model.card();
    match (card.family, card.weights.len()) {
        (Family::Htdemucs | Family::Onnx, 0 | 1) => Ok(Box::new(Htdemucs::load(model, 0, config)?)),
        (Family::Htdemucs | Family::Onnx, _) => {
            Ok(Box::new(Bag::new(Arc::clone(model), config.clone())))
        }
        (Family::Ensemble, _) => {
            let reason = "an ensemble is loaded by its members".to_owned();
            Err(EngineError::Load { model: card.name.to_string(), reason })
        }
        (Family::Mdx, _) => Ok(Box::new(Mdx::load(model, config)?)),
        (Family::Roformer | Family::Scnet, _) => {
            Ok(Box::new(SpectralNetwork::load(model, config)?))
        }
        (Family::Spleeter, _) => Ok(Box::new(Spleeter::load(model, config)?)),
    }
}
