//! A graph in ONNX Runtime, and the ports by which waveforms and spectra go in and out.

use std::sync::Arc;

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorElementType;

use super::spectra::SpectrumShape;
use super::weights::Weights;
use crate::audio::Stereo;
use crate::engine::runtime::execution;
use crate::engine::{EngineError, ExecutionConfig};
use crate::model::ModelCard;

/// Loads a graph, filled with `weights` where it does not hold its own.
///
/// # Errors
/// [`EngineError::Load`] with what the runtime says.
pub(crate) fn open(
    card: &ModelCard,
    graph: &[u8],
    weights: Option<&Arc<Weights>>,
    compute: &ExecutionConfig,
) -> Result<Session, EngineError> {
    let refused = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
    let builder = builder(card, compute).map_err(refused)?;
    let mut builder = match weights {
        Some(weights) => weights.offer(builder, graph)?,
        None => builder,
    };
    builder.commit_from_memory(graph).map_err(|error| refused(error.to_string()))
}

fn builder(card: &ModelCard, compute: &ExecutionConfig) -> Result<SessionBuilder, String> {
    // An arena keeps what a run took, for the next one; the specialists of a bag would each keep their
    // own, though only one of them runs at a time.
    let arena = card.weights.len() < 2;
    let builder = Session::builder(compute.runtime.environment())
        .map_err(|e| e.to_string())?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|e| e.to_string())?
        .with_intra_threads(compute.threads)
        .map_err(|e| e.to_string())?
        .with_deterministic_compute(true)
        .map_err(|e| e.to_string())?
        // With a pattern the second run takes all its memory in one piece, beside the pieces that the
        // first one left in the arena: half as much again for HTDemucs, and no faster.
        .with_memory_pattern(false)
        .map_err(|e| e.to_string())?
        // Between two segments the cores belong to others.
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(|e| e.to_string())?;
    execution::set(builder, compute.execution, compute.threads, arena)
}

/// Which ports a graph has, and the shapes at them.
///
/// Inputs are `mix` [1, 2, T] and `mix_spectrogram` [1, 4, F, N], outputs `stems` [1, S, 2, T] and
/// `stem_spectrograms` [1, S, 4, F, N]; of each kind there is one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) mix: bool,
    pub(crate) mix_spectrogram: bool,
    pub(crate) stems: bool,
    pub(crate) stem_spectrograms: bool,
}

impl Ports {
    /// Reads the ports of a graph, which must be as the card says.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub(crate) fn read(
        session: &Session,
        card: &ModelCard,
        spectrum: Option<SpectrumShape>,
    ) -> Result<Ports, String> {
        let (stems, frames) = (card.stems.len() as i64, card.segment.as_len() as i64);
        let (bins, columns) = spectrum.map_or((0, 0), |s| (s.bins as i64, s.columns as i64));
        let channels = Stereo::CHANNELS as i64;
        let known: [(&str, &[i64]); 4] = [
            ("mix", &[1, channels, frames]),
            ("mix_spectrogram", &[1, 2 * channels, bins, columns]),
            ("stems", &[1, stems, channels, frames]),
            ("stem_spectrograms", &[1, stems, 2 * channels, bins, columns]),
        ];
        let (inputs, outputs) = known.split_at(2);
        let mut found = Vec::new();
        for port in session.inputs().iter().chain(session.outputs()) {
            let is_input = session.inputs().iter().any(|input| input.name() == port.name());
            let names = if is_input { inputs } else { outputs };
            let Some((name, expected)) = names.iter().find(|(name, _)| *name == port.name()) else {
                if is_input {
                    return Err(format!(
                        "the graph wants an input {:?}; known are mix and mix_spectrogram",
                        port.name()
                    ));
                }
                continue;
            };
            let shape = port.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
            // A dimension that the graph leaves open is -1.
            let fits = shape.len() == expected.len()
                && shape
                    .iter()
                    .zip(*expected)
                    .all(|(&found, &expected)| found == expected || found < 0);
            if name.contains("spectrogram") && spectrum.is_none() {
                return Err(format!("the graph has {name}, but the card has no stft"));
            }
            if !fits {
                return Err(format!("{name} has the shape {shape:?}, the card says {expected:?}"));
            }
            if port.dtype().tensor_type() != Some(TensorElementType::Float32) {
                return Err(format!("{name} is not of 32-bit floats"));
            }
            found.push(*name);
        }
        let has = |name| found.contains(&name);
        let ports = Ports {
            mix: has("mix"),
            mix_spectrogram: has("mix_spectrogram"),
            stems: has("stems"),
            stem_spectrograms: has("stem_spectrograms"),
        };
        if !(ports.stems || ports.stem_spectrograms) {
            return Err("the graph has no output \"stems\" or \"stem_spectrograms\"".into());
        }
        Ok(ports)
    }
}
