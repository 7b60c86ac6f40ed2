//! SCNet and RoFormer: the complex spectrum of the mixture in, those of the stems out.
//!
//! The graph takes `mix_spectrogram` [1, 4, F, N] and yields `stem_spectrograms` [1, S, 4, F, N]; [`Spectra::centred`] or
//! [`Spectra::windowed`] is the transform. SCNet is trained on tracks with mean 0 and deviation 1, which the caller provides; a
//! RoFormer normalises what it sees of the spectrum.

use std::sync::Arc;
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;

use super::graph::{self, Ports};
use super::spectra::Spectra;
use super::weights::Weights;
use crate::audio::Stereo;
use crate::engine::stop::{StoppableRun, Stopper, log_inference};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::Model;
use crate::model::card::Family;

/// A loaded model of either family.
pub(crate) struct SpectralNetwork {
    model: String,
    session: Session,
    stoppable: StoppableRun,
    spectra: Spectra,
    /// Input of the graph, [4, F, N].
    spectrum: Vec<f32>,
    /// Kept alive for the next worker that loads the model.
    _weights: Arc<Weights>,
}

impl SpectralNetwork {
    /// Loads the graph and the weights of `model`.
    ///
    /// # Errors
    /// [`EngineError::Model`], [`EngineError::Load`].
    pub(crate) fn load(
        model: &Model,
        config: &ExecutionConfig,
    ) -> Result<SpectralNetwork, EngineError> {
        let card = model.card();
        let refused = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
        let provider = config.execution.provider;
        if !card.family.runs_on(provider) {
            return Err(refused(format!(
                "{provider} yields other stems than the CPU for RoFormers"
            )));
        }
        let (graph, weights) = graph::with_weights(model, 0, config.execution.provider)?;
        let session = graph::open(card, &graph, Some(&weights), config)?;
        let stft = card.stft.ok_or_else(|| refused("its card has no stft".into()))?;
        let transform = match card.family {
            Family::Roformer => Spectra::windowed,
            _ => Spectra::centred,
        };
        let spectra = transform(stft, card.segment, config.threads);
        let shape = spectra.shape();
        let ports = Ports::read(&session, card, Some(shape)).map_err(refused)?;
        if ports != Ports::OF_SPECTRA {
            return Err(refused("its graph has waveforms, not spectra alone".into()));
        }
        Ok(SpectralNetwork {
            model: card.name.to_string(),
            session,
            stoppable: StoppableRun::new(card)?,
            spectra,
            spectrum: vec![0.0; 2 * Stereo::CHANNELS * shape.plane()],
            _weights: weights,
        })
    }
}

impl Engine for SpectralNetwork {
    /// One run of the graph yields all stems; only the wanted ones are transformed to waveforms.
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        let failed = |error: ort::Error| graph::failed(&self.model, error.to_string());
        self.spectra.analyse(mix, &mut self.spectrum);
        let shape = self.spectra.shape();
        let dimensions = [1, 2 * Stereo::CHANNELS, shape.bins, shape.columns];
        let spectrum =
            TensorRef::from_array_view((dimensions, &self.spectrum[..])).map_err(failed)?;
        let inputs = ort::inputs!["mix_spectrogram" => spectrum];
        let begun = Instant::now();
        let outputs =
            self.session.run_with_options(inputs, self.stoppable.options()).map_err(failed)?;
        log_inference(&self.model, begun);
        let (wanted, size) = (&options.wanted, 2 * shape.plane());
        let channels = graph::channels(&self.model, &outputs, "stem_spectrograms", wanted, size)?;
        let channels: Vec<_> = channels.into_iter().map(|spectrum| (spectrum, None)).collect();
        let mut waveforms = self.spectra.synthesise(&channels).into_iter();
        let mut stem = |&wanted: &bool| {
            let planes = if wanted { waveforms.next().zip(waveforms.next()) } else { None };
            let stem = planes.and_then(|(left, right)| Stereo::from_planes(left, right));
            stem.unwrap_or_else(|| Stereo::zeros(mix.len()))
        };
        Ok(wanted.iter().map(&mut stem).collect())
    }

    fn stopper(&mut self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}
