//! Opens graphs in ONNX Runtime and reads their ports, the inputs and outputs, and what these yield.

use std::borrow::Cow;
use std::sync::Arc;

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionOutputs};
use ort::value::TensorElementType;

use super::spectra::SpectrumShape;
use super::weights::Weights;
use crate::audio::Stereo;
use crate::engine::runtime::execution;
use crate::engine::{EngineError, ExecutionConfig, Provider};
use crate::model::card::Family;
use crate::model::onnx::{self, Graph};
use crate::model::{Model, ModelCard, ModelError};

/// Reads the graph of a model and, for an engine on `provider`, its file of weights with that index, and checks that they fit
/// each other.
///
/// # Errors
/// [`EngineError::Model`], [`EngineError::Load`].
pub(crate) fn with_weights(
    model: &Model,
    index: usize,
    provider: Provider,
) -> Result<(Cow<'static, [u8]>, Arc<Weights>), EngineError> {
    let graph = model.graph()?;
    let weights = Weights::shared(model, index, provider)?;
    Graph::parse(&graph).and_then(|graph| weights.check(&graph)).map_err(|reason| {
        let card = model.card();
        let reason = format!("{}: {reason}", card.weights[index].file);
        ModelError::Unfit { model: card.name.to_string(), reason }
    })?;
    Ok((graph, weights))
}

/// Least number of parameters of an HTDemucs that counts as large: `mini` has 3.9 million, the published ones 42 million.
const LARGE: usize = 8_000_000;

/// Opens a graph, with `weights` unless it contains its own.
///
/// # Errors
/// [`EngineError::Load`] or [`EngineError::OutOfMemory`] with the error of the runtime.
pub(crate) fn open(
    card: &ModelCard,
    graph: &[u8],
    weights: Option<&Weights>,
    config: &ExecutionConfig,
) -> Result<Session, EngineError> {
    let open_shapes = has_open_shapes(card, weights, config.execution.provider);
    open_with(card, graph, weights, config, open_shapes)
}

fn open_with(
    card: &ModelCard,
    graph: &[u8],
    weights: Option<&Weights>,
    config: &ExecutionConfig,
    open_shapes: bool,
) -> Result<Session, EngineError> {
    let refused = |reason: String| EngineError::of_load(card.name.as_str(), reason);
    let builder = builder(card, config).map_err(refused)?;
    let (mut builder, graph) = match weights {
        Some(weights) => (
            weights.add_to(builder, graph).map_err(refused)?,
            weights.place_in(graph).map_err(refused)?,
        ),
        None => (builder, Cow::Borrowed(graph)),
    };
    let graph = if open_shapes {
        Cow::Owned(onnx::with_open_shapes(&graph).map_err(refused)?)
    } else {
        graph
    };
    builder.commit_from_memory(&graph).map_err(|error| refused(error.to_string()))
}

/// Whether the runtime plans the memory of a run without knowing the shapes of the graph's values: HTDemucs then takes 0.87 GB
/// instead of 1.24, SCNet half the memory, in about the same time, as soft-max stays in place
/// ([`onnx::with_open_shapes`]). `mini` would take 20 MB less. Providers besides the CPU compile a graph for its shapes.
fn has_open_shapes(card: &ModelCard, weights: Option<&Weights>, provider: Provider) -> bool {
    let is_large = || weights.is_some_and(|weights| weights.parameters() >= LARGE);
    provider == Provider::Cpu
        && match card.family {
            Family::Scnet => true,
            Family::Htdemucs => is_large(),
            Family::Ensemble | Family::Mdx | Family::Onnx | Family::Roformer | Family::Spleeter => {
                false
            }
        }
}

fn builder(card: &ModelCard, config: &ExecutionConfig) -> Result<SessionBuilder, String> {
    // An arena keeps the memory of a run for the next one. The specialists of a bag would each keep an arena, although only
    // one of them runs at a time.
    let arena = card.weights.len() < 2;
    let builder = Session::builder(config.runtime.environment())
        .map_err(|e| e.to_string())?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|e| e.to_string())?
        .with_intra_threads(config.threads)
        .map_err(|e| e.to_string())?
        .with_deterministic_compute(true)
        .map_err(|e| e.to_string())?
        // With a memory pattern the second run allocates all its memory in one piece, in addition to the pieces of the first
        // run in the arena: for HTDemucs 50 % more memory, and no faster.
        .with_memory_pattern(false)
        .map_err(|e| e.to_string())?
        // Threads must not spin between two segments: the cores are used by other work.
        .with_config_entry("session.force_spinning_stop", "1")
        .map_err(|e| e.to_string())?;
    execution::set(builder, config.execution, config.threads, arena)
}

/// The ports of a graph: inputs `mix` [1, 2, T] and `mix_spectrogram` [1, 4, F, N], outputs `stems` [1, S, 2, T] and
/// `stem_spectrograms` [1, S, 4, F, N]; at least one input and one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) mix: bool,
    pub(crate) mix_spectrogram: bool,
    pub(crate) stems: bool,
    pub(crate) stem_spectrograms: bool,
}

impl Ports {
    /// Spectra in and out, no waveforms.
    pub(crate) const OF_SPECTRA: Ports =
        Ports { mix: false, mix_spectrogram: true, stems: false, stem_spectrograms: true };

    /// Reads the ports of a graph and checks them against the card.
    ///
    /// # Errors
    /// The first difference, in words.
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
                        "the graph has an unknown input {:?}, not mix or mix_spectrogram",
                        port.name()
                    ));
                }
                continue;
            };
            let shape = port.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
            // An open dimension is -1.
            let fits = shape.len() == expected.len()
                && shape
                    .iter()
                    .zip(*expected)
                    .all(|(&found, &expected)| found == expected || found < 0);
            if name.contains("spectrogram") && spectrum.is_none() {
                return Err(format!("the graph has {name}, but the card has no stft"));
            }
            if !fits {
                return Err(format!(
                    "{name} has the shape {shape:?}, the card requires {expected:?}"
                ));
            }
            if port.dtype().tensor_type() != Some(TensorElementType::Float32) {
                return Err(format!("{name} is not a tensor of 32-bit floats"));
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

/// The values of an output, `size` per channel of the wanted stems. Their number is checked, because a graph may have open
/// dimensions.
///
/// # Errors
/// [`EngineError::Run`].
pub(crate) fn channels<'a>(
    model: &str,
    outputs: &'a SessionOutputs<'_>,
    name: &str,
    wanted: &[bool],
    size: usize,
) -> Result<Vec<&'a [f32]>, EngineError> {
    let (_, numbers) = outputs[name]
        .try_extract_tensor::<f32>()
        .map_err(|error| failed(model, error.to_string()))?;
    let stem = Stereo::CHANNELS * size;
    if numbers.len() != wanted.len() * stem {
        let count = wanted.len() * stem;
        return Err(failed(model, format!("{name} has {} numbers, not {count}", numbers.len())));
    }
    let stems = numbers.chunks_exact(stem).zip(wanted).filter(|(_, wanted)| **wanted);
    Ok(stems.flat_map(|(stem, _)| stem.chunks_exact(size)).collect())
}

/// An error of a run.
pub(crate) fn failed(model: &str, reason: String) -> EngineError {
    EngineError::of_run(model, reason)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ort::value::Tensor;

    use super::*;
    use crate::engine::Execution;
    use crate::engine::runtime::locate::RUNTIME_VARIABLE;
    use crate::engine::runtime::{LibrarySearch, Runtime, install};

    fn runtime() -> Runtime {
        let search =
            LibrarySearch::from_here(None, std::env::var_os(RUNTIME_VARIABLE).map(Into::into));
        let library = search.find().map(|found| found.path).unwrap_or_else(|_| {
            let cache = search.cache.clone().expect("the system names a cache folder");
            install::install(Provider::Cpu, None, &cache, &mut |_| {}).unwrap()
        });
        Runtime::load(&library).unwrap()
    }

    /// The outputs of a run on noise.
    fn outputs(session: &mut Session, ports: &[(&str, Vec<usize>)]) -> Vec<Vec<f32>> {
        let noise = |index: usize| (index as u32).wrapping_mul(0x9E37_79B1) as i32 as f32 / 2e9;
        let tensor = |shape: &[usize]| {
            let values: Vec<f32> = (1..=shape.iter().product()).map(noise).collect();
            Tensor::from_array((shape.to_vec(), values)).unwrap()
        };
        let inputs: Vec<_> = ports.iter().map(|(name, shape)| (*name, tensor(shape))).collect();
        let found = session.run(inputs).unwrap();
        found.values().map(|value| value.try_extract_tensor().unwrap().1.to_vec()).collect()
    }

    /// HTDemucs' topology, with queries in pieces as those of the published models. The runtime chooses other kernels for a
    /// few values, which differ in their last bits.
    #[test]
    fn open_shapes_change_last_bits_only() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny");
        let model = Model::in_folder(&folder).unwrap();
        let config =
            ExecutionConfig { runtime: runtime(), execution: Execution::BASELINE, threads: 2 };
        let (graph, weights) = with_weights(&model, 0, Provider::Cpu).unwrap();
        let parsed = Graph::parse(&graph).unwrap();
        let shape = |name| parsed.port(name).unwrap().into_iter().map(|size| size as usize);
        let ports = ["mix", "mix_spectrogram"].map(|name| (name, shape(name).collect()));
        let [fixed, open] = [false, true].map(|open_shapes| {
            let mut session =
                open_with(model.card(), &graph, Some(&weights), &config, open_shapes).unwrap();
            let sizes = session.inputs()[0].dtype().tensor_shape().unwrap().to_vec();
            assert_eq!(sizes.contains(&-1), open_shapes);
            outputs(&mut session, &ports)
        });
        assert_eq!(fixed.len(), 2);
        for (fixed, open) in fixed.iter().zip(&open) {
            assert_eq!(fixed.len(), open.len());
            let pairs = || fixed.iter().zip(open).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            let signal: f64 = pairs().map(|(a, _)| a * a).sum();
            let noise: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
            assert!(signal > 0.0 && noise < 1e-14 * signal, "{noise} of {signal}");
        }
    }
}
