//! Spleeter: a U-Net per stem on magnitudes, and ratio masks on the spectrum of the mixture.
//!
//! The graph takes `magnitudes` [1, 2, T, F] and yields `estimates` [1, S, 2, T, F]: T columns of the F lowest bins of each
//! channel. A segment is T whole columns, and a stem is the inverse transform of these columns alone; neighbouring
//! segments overlap at their seams and are summed ([`crate::dsp::segments::Blend::Sum`]). So the stems equal those of the
//! reference (spleeter/model/__init__.py), which transforms the whole track.

mod spectrum;

use std::sync::Arc;
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;

use super::graph;
use super::residual::distribute_residual;
use super::weights::Weights;
use crate::audio::Stereo;
use crate::dsp::mask::{ratio_mask, total_energy};
use crate::engine::stop::{StoppableRun, Stopper, log_inference};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::{Model, ModelCard};
use spectrum::Spectrum;

/// A loaded Spleeter model.
pub(crate) struct Spleeter {
    model: String,
    session: Session,
    stoppable: StoppableRun,
    spectrum: Spectrum,
    stems: usize,
    bins: usize,
    /// Input of the graph, [2, T, F].
    magnitudes: Vec<f32>,
    residual_shares: Vec<f32>,
    /// Kept alive for the next worker that loads the model.
    _weights: Arc<Weights>,
}

impl Spleeter {
    /// Loads the graph and the weights of `model`.
    ///
    /// # Errors
    /// [`EngineError::Model`], [`EngineError::Load`].
    pub(crate) fn load(model: &Model, config: &ExecutionConfig) -> Result<Spleeter, EngineError> {
        let card = model.card();
        let (graph, weights) = graph::with_weights(model, 0, config.execution.provider)?;
        let refused = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
        let session = graph::open(card, &graph, Some(&weights), config)?;
        let stft = card.stft.ok_or_else(|| refused("its card has no stft".into()))?;
        let spectrum = Spectrum::new(stft, card.segment.as_len());
        let columns = spectrum.columns();
        let bins = seen_bins(&session, card, columns, spectrum.bins()).map_err(refused)?;
        Ok(Spleeter {
            magnitudes: vec![0.0; Stereo::CHANNELS * columns * bins],
            model: card.name.to_string(),
            session,
            stoppable: StoppableRun::new(card)?,
            spectrum,
            stems: card.stems.len(),
            bins,
            residual_shares: card.residual_shares.clone(),
            _weights: weights,
        })
    }
}

impl Engine for Spleeter {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        self.spectrum.analyse(mix);
        self.spectrum.magnitudes(self.bins, &mut self.magnitudes);
        let failed = |error: ort::Error| EngineError::of_run(&self.model, error.to_string());
        let columns = self.spectrum.columns();
        let shape = [1, Stereo::CHANNELS, columns, self.bins];
        let shown = TensorRef::from_array_view((shape, &self.magnitudes[..])).map_err(failed)?;
        let inputs = ort::inputs!["magnitudes" => shown];
        let begun = Instant::now();
        let outputs =
            self.session.run_with_options(inputs, self.stoppable.options()).map_err(failed)?;
        log_inference(&self.model, begun);
        let (_, estimates) = outputs["estimates"].try_extract_tensor::<f32>().map_err(failed)?;
        let estimates: Vec<&[f32]> = estimates.chunks_exact(self.magnitudes.len()).collect();
        // The residual depends on every stem.
        let all = !self.residual_shares.is_empty();
        let mut total = vec![0.0; self.magnitudes.len()];
        total_energy(estimates.iter().copied(), &mut total);
        if total.iter().any(|energy| !energy.is_finite()) {
            return Err(EngineError::NotFinite { model: self.model.clone() });
        }
        let mut stems = Vec::with_capacity(self.stems);
        for (estimate, &wanted) in estimates.iter().zip(&options.wanted) {
            if !wanted && !all {
                stems.push(Stereo::zeros(mix.len()));
                continue;
            }
            stems.push(self.spectrum.synthesise(|column, mask| {
                let seen = column * self.bins..(column + 1) * self.bins;
                let (estimate, total) = (&estimate[seen.clone()], &total[seen]);
                ratio_mask(estimate, total, self.stems, options.mask_extension, mask);
            }));
        }
        distribute_residual(mix, &mut stems, &self.residual_shares);
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}

/// F, the bins of the graph's input; checks the other dimensions against the card.
fn seen_bins(
    session: &Session,
    card: &ModelCard,
    columns: usize,
    bins: usize,
) -> Result<usize, String> {
    let shape = |name: &str| -> Result<Vec<i64>, String> {
        let mut ports = session.inputs().iter().chain(session.outputs());
        let port = ports.find(|port| port.name() == name);
        let port = port.ok_or_else(|| format!("the graph has no input or output {name:?}"))?;
        Ok(port.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default())
    };
    let (input, output) = (shape("magnitudes")?, shape("estimates")?);
    let seen = input.last().and_then(|&seen| usize::try_from(seen).ok());
    let seen = seen.filter(|seen| (1..=bins).contains(seen)).ok_or_else(|| {
        format!("magnitudes has the shape {input:?}, of which the last must be 1 to {bins} bins")
    })?;
    let channels = Stereo::CHANNELS as i64;
    let (t, f, s) = (columns as i64, seen as i64, card.stems.len() as i64);
    for (name, found, expected) in [
        ("magnitudes", input, vec![1, channels, t, f]),
        ("estimates", output, vec![1, s, channels, t, f]),
    ] {
        if found != expected {
            return Err(format!("{name} has the shape {found:?}, the card requires {expected:?}"));
        }
    }
    Ok(seen)
}
