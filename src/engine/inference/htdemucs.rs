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
use super::weights::Weights;
use crate::audio::Stereo;
use crate::engine::stop::{StoppableRun, Stopper, log_inference};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::ModelCard;

/// A loaded HTDemucs.
pub(crate) struct Demucs {
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
    /// Kept so that the next worker that loads the model finds them.
    _weights: Option<Arc<Weights>>,
}

impl Demucs {
    /// Loads the graph and fills it with the weights, where it does not hold its own.
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub(crate) fn load(
        card: &ModelCard,
        graph: &[u8],
        weights: Option<Arc<Weights>>,
        compute: &ExecutionConfig,
    ) -> Result<Demucs, EngineError> {
        let session = graph::open(card, graph, weights.as_ref(), compute)?;
        let spectra = card.stft.map(|stft| Spectra::new(stft, card.segment, compute.threads));
        let shape = spectra.as_ref().map(Spectra::shape);
        let ports = Ports::read(&session, card, shape)
            .map_err(|reason| EngineError::Load { model: card.name.to_string(), reason })?;
        let stoppable = StoppableRun::new(card)?;
        let frames = card.segment.as_len();
        let spectrum = shape.filter(|_| ports.mix_spectrogram).map_or(0, |s| 4 * s.plane());
        Ok(Demucs {
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

    /// Runs the graph; answers every channel of the wanted stems, one after the other.
    fn run(&mut self, mix: &Stereo, wanted: &[bool]) -> Result<Vec<Vec<f32>>, EngineError> {
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
        let options = self.stoppable.options();
        let begun = Instant::now();
        let outputs = self.session.run_with_options(inputs, options).map_err(failed)?;
        log_inference(&self.model, begun);
        let output = |name, size| channels(&self.model, &outputs, name, wanted, size);
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

impl Engine for Demucs {
    /// One run of the graph yields all stems; those that are not wanted are not made waveforms.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        debug_assert_eq!(mix.len(), self.frames, "the caller shows whole segments");
        // The shares of what is left depend on every stem.
        let all = !self.residual_shares.is_empty();
        let wanted: Vec<bool> = options.wanted.iter().map(|&wanted| wanted || all).collect();
        let mut channels = self.run(mix, &wanted)?.into_iter();
        let mut stem = |&wanted: &bool| {
            let planes = if wanted { channels.next().zip(channels.next()) } else { None };
            let stem = planes.and_then(|(left, right)| Stereo::from_planes(left, right));
            stem.unwrap_or_else(|| Stereo::zeros(mix.len()))
        };
        let mut stems: Vec<Stereo> = wanted.iter().map(&mut stem).collect();
        share_out(mix, &mut stems, &self.residual_shares);
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}

/// An output's numbers, `size` of them for each channel of the wanted stems. There must be so many for every
/// stem: a graph may leave dimensions open.
fn channels<'a>(
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

fn failed(model: &str, reason: String) -> EngineError {
    EngineError::Run { model: model.to_owned(), reason }
}
