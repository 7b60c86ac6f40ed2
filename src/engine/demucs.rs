//! Hybrid Transformer Demucs, and every graph that has some of its ports.
//!
//! A stem is its waveform plus the inverse transform of its spectrum, where the graph yields both. What
//! goes in and comes out is told at [`Ports`] and [`Spectra`].

use std::sync::Arc;
use std::time::Instant;

use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::TensorRef;

use super::graph::{self, Ports};
use super::residual::share_out;
use super::spectra::Spectra;
use super::stop::{Stoppable, Stopper, tell_inference};
use super::weights::Weights;
use super::{Compute, Engine, EngineError, ModelCard, Options};
use crate::audio::Stereo;

/// A loaded HTDemucs.
pub(super) struct Demucs {
    model: String,
    session: Session,
    stoppable: Stoppable,
    ports: Ports,
    spectra: Option<Spectra>,
    stems: usize,
    /// Frames of a segment.
    frames: usize,
    mix: Vec<f32>,
    spectrum: Vec<f32>,
    residual_shares: Vec<f32>,
    /// Kept so that the next worker that loads the model finds them.
    _weights: Option<Arc<Weights>>,
}

impl Demucs {
    /// Loads the graph and fills it with the weights, where it does not hold its own.
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub(super) fn load(
        card: &ModelCard,
        graph: &[u8],
        weights: Option<Arc<Weights>>,
        compute: &Compute,
    ) -> Result<Demucs, EngineError> {
        let session = graph::open(card, graph, weights.as_ref(), compute)?;
        let spectra = card.stft.map(|stft| Spectra::new(stft, card.segment));
        let shape = spectra.as_ref().map(Spectra::shape);
        let ports = Ports::read(&session, card, shape)
            .map_err(|reason| EngineError::Load { model: card.name.to_string(), reason })?;
        let stoppable = Stoppable::new(card)?;
        let frames = card.segment.as_len();
        let spectrum = shape.filter(|_| ports.mix_spectrogram).map_or(0, |s| 4 * s.plane());
        Ok(Demucs {
            model: card.name.to_string(),
            session,
            stoppable,
            ports,
            spectra,
            stems: card.stems.len(),
            frames,
            mix: vec![0.0; Stereo::CHANNELS * frames],
            spectrum: vec![0.0; spectrum],
            residual_shares: card.residual_shares.clone(),
            _weights: weights,
        })
    }

    /// Runs the graph; answers every channel of every stem, one after the other.
    fn run(&mut self, mix: &Stereo) -> Result<Vec<Vec<f32>>, EngineError> {
        let failed = |error: ort::Error| failed(&self.model, error.to_string());
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
        let options = self.stoppable.begin().map_err(failed)?;
        let begun = Instant::now();
        let outputs = self.session.run_with_options(inputs, options).map_err(failed)?;
        tell_inference(&self.model, begun);
        let channels = self.stems * Stereo::CHANNELS;
        let mut signals = if self.ports.stems {
            let waveforms = numbers(&self.model, &outputs, "stems", channels * self.frames)?;
            waveforms.chunks_exact(self.frames).map(<[f32]>::to_vec).collect()
        } else {
            vec![vec![0.0; self.frames]; channels]
        };
        if let Some(spectra) = self.spectra.as_mut().filter(|_| self.ports.stem_spectrograms) {
            let size = 2 * spectra.shape().plane();
            let spectrograms =
                numbers(&self.model, &outputs, "stem_spectrograms", channels * size)?;
            for (signal, spectrum) in signals.iter_mut().zip(spectrograms.chunks_exact(size)) {
                spectra.synthesise(spectrum, signal);
            }
        }
        Ok(signals)
    }
}

impl Engine for Demucs {
    /// One run of the graph yields all stems, so that none can be left out.
    fn separate(&mut self, mix: &Stereo, _: &Options) -> Result<Vec<Stereo>, EngineError> {
        debug_assert_eq!(mix.len(), self.frames, "the caller shows whole segments");
        let channels = self.run(mix)?;
        let mut channels = channels.into_iter();
        let mut stems = Vec::with_capacity(self.stems);
        while let (Some(left), Some(right)) = (channels.next(), channels.next()) {
            stems.extend(Stereo::from_planes(left, right));
        }
        share_out(mix, &mut stems, &self.residual_shares);
        Ok(stems)
    }

    fn stopper(&self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}

/// An output's numbers, which must be so many: a graph may leave dimensions open.
fn numbers<'a>(
    model: &str,
    outputs: &'a SessionOutputs<'_>,
    name: &str,
    count: usize,
) -> Result<&'a [f32], EngineError> {
    let (_, numbers) = outputs[name]
        .try_extract_tensor::<f32>()
        .map_err(|error| failed(model, error.to_string()))?;
    if numbers.len() != count {
        return Err(failed(model, format!("{name} has {} numbers, not {count}", numbers.len())));
    }
    Ok(numbers)
}

fn failed(model: &str, reason: String) -> EngineError {
    EngineError::Run { model: model.to_owned(), reason }
}
