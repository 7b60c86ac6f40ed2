//! Hybrid Transformer Demucs, and every graph with some of its ports.
//!
//! If the graph yields both, a stem is the sum of its waveform and the inverse transform of its spectrum. [`Ports`] has the
//! shapes, [`Spectra`] the transform.

use std::sync::Arc;
use std::time::Instant;

use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use super::graph::{self, Ports};
use super::residual::distribute_residual;
use super::spectra::Spectra;
use super::weights::Weights;
use crate::audio::Stereo;
use crate::engine::stop::{StoppableRun, Stopper, log_inference};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::Model;

/// A loaded HTDemucs model.
pub(crate) struct Htdemucs {
    model: String,
    session: Session,
    stoppable: StoppableRun,
    ports: Ports,
    spectra: Option<Spectra>,
    /// Frames of a segment.
    frames: usize,
    mix: Vec<f32>,
    spectrum: Vec<f32>,
    residual_shares: Vec<f32>,
    /// Kept alive for the next worker that loads the model.
    _weights: Option<Arc<Weights>>,
}

impl Htdemucs {
    /// Loads the graph of `model`, with the card's file of weights of that index unless the graph contains its own.
    ///
    /// # Errors
    /// [`EngineError::Model`], [`EngineError::Load`].
    pub(crate) fn load(
        model: &Model,
        index: usize,
        config: &ExecutionConfig,
    ) -> Result<Htdemucs, EngineError> {
        let card = model.card();
        let (graph, weights) = match card.weights.len() {
            0 => (model.graph()?, None),
            _ => {
                let (graph, weights) =
                    graph::with_weights(model, index, config.execution.provider)?;
                (graph, Some(weights))
            }
        };
        let session = graph::open(card, &graph, weights.as_deref(), config)?;
        let spectra = card.stft.map(|stft| Spectra::new(stft, card.segment, config.threads));
        let shape = spectra.as_ref().map(Spectra::shape);
        let ports = Ports::read(&session, card, shape)
            .map_err(|reason| EngineError::Load { model: card.name.to_string(), reason })?;
        let stoppable = StoppableRun::new(card)?;
        let frames = card.segment.as_len();
        let spectrum = shape.filter(|_| ports.mix_spectrogram).map_or(0, |s| 4 * s.plane());
        Ok(Htdemucs {
            model: card.name.to_string(),
            session,
            stoppable,
            ports,
            spectra,
            frames,
            mix: vec![0.0; Stereo::CHANNELS * frames],
            spectrum: vec![0.0; spectrum],
            residual_shares: card.residual_shares.clone(),
            _weights: weights,
        })
    }

    /// Runs the graph and returns the channels of the wanted stems, one after the other.
    fn run(&mut self, mix: &Stereo, wanted: &[bool]) -> Result<Vec<Vec<f32>>, EngineError> {
        let failed = |error: ort::Error| graph::failed(&self.model, error.to_string());
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        if self.ports.mix {
            for (plane, signal) in self.mix.chunks_exact_mut(self.frames).zip(mix.planes()) {
                plane.copy_from_slice(signal);
            }
            let mix = ([1, Stereo::CHANNELS, self.frames], &self.mix[..]);
            inputs.push(("mix", TensorRef::from_array_view(mix).map_err(failed)?.into()));
        }
        if let Some(spectra) = self.spectra.as_mut().filter(|_| self.ports.mix_spectrogram) {
            spectra.analyse(mix, &mut self.spectrum);
            let shape = spectra.shape();
            let spectrum =
                ([1, 2 * Stereo::CHANNELS, shape.bins, shape.columns], &self.spectrum[..]);
            let spectrum = TensorRef::from_array_view(spectrum).map_err(failed)?;
            inputs.push(("mix_spectrogram", spectrum.into()));
        }
        let options = self.stoppable.options();
        let begun = Instant::now();
        let outputs = self.session.run_with_options(inputs, options).map_err(failed)?;
        log_inference(&self.model, begun);
        let output = |name, size| graph::channels(&self.model, &outputs, name, wanted, size);
        let waveforms = self.ports.stems.then(|| output("stems", self.frames)).transpose()?;
        let Some(spectra) = self.spectra.as_mut().filter(|_| self.ports.stem_spectrograms) else {
            return Ok(waveforms.into_iter().flatten().map(<[f32]>::to_vec).collect());
        };
        let spectrograms = output("stem_spectrograms", 2 * spectra.shape().plane())?;
        let waveform = |channel: usize| waveforms.as_ref().map(|waveforms| waveforms[channel]);
        let both: Vec<_> = spectrograms.into_iter().zip((0..).map(waveform)).collect();
        Ok(spectra.synthesise(&both))
    }
}

impl Engine for Htdemucs {
    /// One run of the graph yields all stems; only the wanted ones are transformed to waveforms.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        debug_assert_eq!(mix.len(), self.frames, "callers pass whole segments");
        // The residual depends on every stem.
        let all = !self.residual_shares.is_empty();
        let wanted: Vec<bool> = options.wanted.iter().map(|&wanted| wanted || all).collect();
        let mut channels = self.run(mix, &wanted)?.into_iter();
        let mut stem = |&wanted: &bool| {
            let planes = if wanted { channels.next().zip(channels.next()) } else { None };
            let stem = planes.and_then(|(left, right)| Stereo::from_planes(left, right));
            stem.unwrap_or_else(|| Stereo::zeros(mix.len()))
        };
        let mut stems: Vec<Stereo> = wanted.iter().map(&mut stem).collect();
        distribute_residual(mix, &mut stems, &self.residual_shares);
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}
