//! MDX-Net as UVR publishes it: the complex spectrum of the mixture in, that of one stem out.
//!
//! The graph has one input and one output, [1, 4, F, N]: left real, left imaginary, right real, right imaginary, of the F lowest
//! bins; [`Spectra::unscaled`] is the transform. The three lowest bins are zero in the input. The other stem is the mixture
//! minus the network's times the compensation. Reference: `MDXSeparator` of audio-separator.

use std::time::Instant;

use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use super::graph;
use super::spectra::{Channel, Spectra};
use crate::audio::Stereo;
use crate::engine::stop::{StoppableRun, Stopper, log_inference};
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig};
use crate::model::card::MdxParameters;
use crate::model::onnx::SelfContained;
use crate::model::{Model, ModelError};

/// The lowest bins of the input, which are zero.
const ZERO_BINS: usize = 3;

/// A loaded MDX-Net.
pub(crate) struct Mdx {
    model: String,
    session: Session,
    stoppable: StoppableRun,
    parameters: MdxParameters,
    spectra: Spectra,
    /// Names of the graph's input and output.
    ports: [String; 2],
    /// Input of the graph, [4, F, N].
    spectrum: Vec<f32>,
}

impl Mdx {
    /// Loads the graph of `model`, which contains its weights. It is checked again before it is executed: a card beside it may
    /// have been written by hand.
    ///
    /// # Errors
    /// [`EngineError::Model`], [`EngineError::Load`].
    pub(crate) fn load(model: &Model, config: &ExecutionConfig) -> Result<Mdx, EngineError> {
        let card = model.card();
        let refused = |reason: String| EngineError::Load { model: card.name.to_string(), reason };
        let (Some(stft), Some(parameters)) = (card.stft, card.mdx) else {
            return Err(refused("its card has no stft or no mdx".into()));
        };
        let bytes = model.graph()?;
        let checked = SelfContained::check(&bytes).and_then(|graph| graph.spectrum());
        let shape = checked.map_err(|reason| {
            let reason = format!("{}: {reason}", card.graph.file);
            ModelError::Unfit { model: card.name.to_string(), reason }
        })?;
        let spectra = Spectra::unscaled(stft, shape.bins, card.segment, config.threads);
        if spectra.shape().columns != shape.columns || shape.bins > stft.size / 2 + 1 {
            return Err(refused(format!(
                "its graph takes {} bins in {} columns, its card has {} in {}",
                shape.bins,
                shape.columns,
                stft.size / 2 + 1,
                spectra.shape().columns
            )));
        }
        let session = graph::open(card, &bytes, None, config)?;
        Ok(Mdx {
            model: card.name.to_string(),
            session,
            stoppable: StoppableRun::new(card)?,
            parameters,
            spectrum: vec![0.0; 2 * Stereo::CHANNELS * spectra.shape().plane()],
            spectra,
            ports: [shape.input, shape.output],
        })
    }

    /// The network's spectrum for [`Mdx::spectrum`].
    fn run(&mut self) -> Result<Vec<f32>, EngineError> {
        let failed = |error: ort::Error| graph::failed(&self.model, error.to_string());
        let shape = self.spectra.shape();
        let dimensions = [1, 2 * Stereo::CHANNELS, shape.bins, shape.columns];
        let spectrum =
            TensorRef::from_array_view((dimensions, &self.spectrum[..])).map_err(failed)?;
        let [input, output] = &self.ports;
        let inputs = vec![(input.as_str(), SessionInputValue::from(spectrum))];
        let begun = Instant::now();
        let outputs =
            self.session.run_with_options(inputs, self.stoppable.options()).map_err(failed)?;
        log_inference(&self.model, begun);
        let (_, numbers) = outputs[output.as_str()].try_extract_tensor::<f32>().map_err(failed)?;
        if numbers.len() != self.spectrum.len() {
            let reason =
                format!("{output} has {} numbers, not {}", numbers.len(), self.spectrum.len());
            return Err(graph::failed(&self.model, reason));
        }
        Ok(numbers.to_vec())
    }

    /// The same, with denoising: what the network adds whatever it sees cancels out.
    fn run_denoised(&mut self) -> Result<Vec<f32>, EngineError> {
        let negate = |spectrum: &mut [f32]| spectrum.iter_mut().for_each(|value| *value = -*value);
        negate(&mut self.spectrum);
        let negative = self.run()?;
        negate(&mut self.spectrum);
        let mut positive = self.run()?;
        for (value, negative) in positive.iter_mut().zip(negative) {
            *value = negative * -0.5 + *value * 0.5;
        }
        Ok(positive)
    }
}

impl Engine for Mdx {
    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        let shape = self.spectra.shape();
        self.spectra.analyse(mix, &mut self.spectrum);
        for plane in self.spectrum.chunks_exact_mut(shape.plane()) {
            plane[..ZERO_BINS.min(shape.bins) * shape.columns].fill(0.0);
        }
        let spectrum = if self.parameters.denoise { self.run_denoised()? } else { self.run()? };
        let channels: Vec<Channel<'_>> =
            spectrum.chunks_exact(2 * shape.plane()).map(|channel| (channel, None)).collect();
        let mut waveforms = self.spectra.synthesise(&channels).into_iter();
        let stem = waveforms
            .next()
            .zip(waveforms.next())
            .and_then(|(left, right)| Stereo::from_planes(left, right))
            .unwrap_or_else(|| Stereo::zeros(mix.len()));
        let wants_rest = options.wanted.get(1).copied().unwrap_or(false);
        let rest = match wants_rest {
            true => rest(mix, &stem, self.parameters.compensation),
            false => Stereo::zeros(mix.len()),
        };
        Ok(vec![stem, rest])
    }

    fn stopper(&mut self) -> Option<Stopper> {
        Some(self.stoppable.stopper())
    }
}

/// The mixture minus `compensation` times the stem.
fn rest(mix: &Stereo, stem: &Stereo, compensation: f32) -> Stereo {
    let mut rest = mix.clone();
    for (rest, stem) in rest.planes_mut().into_iter().zip(stem.planes()) {
        rest.iter_mut().zip(stem).for_each(|(rest, stem)| *rest -= compensation * stem);
    }
    rest
}
