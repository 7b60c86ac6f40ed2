//! Hybrid Transformer Demucs: the spectra around its graph.
//!
//! The graph takes the waveform `mix` [1, 2, T] and its spectrum `mix_spectrogram` [1, 4, F, N], the
//! complex numbers as channels (left real, left imaginary, right real, right imaginary), and yields
//! `stems` [1, S, 2, T] and `stem_spectrograms` [1, S, 4, F, N]. A stem is its waveform plus the
//! inverse transform of its spectrum. Padding and trimming are `_spec` and `_ispec` of the reference
//! (demucs/htdemucs.py): the signal is mirrored by one and a half hops, so that frame `i` is centred
//! on the middle of hop `i`, and the bin at half the sample rate is left out.

use std::ops::Range;
use std::sync::Arc;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::residual::share_out;
use super::weights::Weights;
use super::{Engine, EngineError, ModelCard, Options, Runtime};
use crate::audio::Stereo;
use crate::dsp::Stft;
use crate::dsp::stft::{Bin, reflect_pad};

/// Spectrum frames that are turned at once, so that memory is touched in whole cache lines.
const TILE: usize = 16;

/// A loaded HTDemucs.
pub(super) struct Demucs {
    model: String,
    session: Session,
    stft: Stft,
    shape: Shape,
    mix: Vec<f32>,
    spectrum: Vec<f32>,
    residual_shares: Vec<f32>,
    /// Kept so that the next worker that loads the model finds them.
    _weights: Arc<Weights>,
}

#[derive(Clone, Copy)]
struct Shape {
    stems: usize,
    /// T: frames of a segment.
    frames: usize,
    /// F: bins that the model sees.
    bins: usize,
    /// N: spectrum frames of a segment.
    columns: usize,
    hop: usize,
}

impl Demucs {
    /// Loads the graph and fills it with the weights.
    pub(super) fn load(
        card: &ModelCard,
        graph: &[u8],
        weights: Arc<Weights>,
        runtime: &Runtime,
        threads: usize,
    ) -> Result<Demucs, EngineError> {
        let model = card.name.to_string();
        let refused = |error: String| EngineError::Load { model: model.clone(), reason: error };
        let builder = Session::builder(runtime.environment())
            .map_err(|e| refused(e.to_string()))?
            .with_optimization_level(GraphOptimizationLevel::All)
            .map_err(|e| refused(e.to_string()))?
            .with_intra_threads(threads)
            .map_err(|e| refused(e.to_string()))?
            .with_deterministic_compute(true)
            .map_err(|e| refused(e.to_string()))?
            // Between two segments the cores belong to others.
            .with_config_entry("session.force_spinning_stop", "1")
            .map_err(|e| refused(e.to_string()))?;
        let session = weights
            .offer(builder)?
            .commit_from_memory(graph)
            .map_err(|e| refused(e.to_string()))?;
        let shape = Shape {
            stems: card.stems.len(),
            frames: card.segment.as_len(),
            bins: card.stft.size / 2,
            columns: card.segment.as_len().div_ceil(card.stft.hop),
            hop: card.stft.hop,
        };
        shape.check(&session).map_err(refused)?;
        Ok(Demucs {
            model,
            session,
            stft: Stft::new(card.stft.size, card.stft.hop),
            shape,
            mix: vec![0.0; Stereo::CHANNELS * shape.frames],
            spectrum: vec![0.0; 2 * Stereo::CHANNELS * shape.plane()],
            residual_shares: card.residual_shares.clone(),
            _weights: weights,
        })
    }

    /// Writes the spectrum of `mix` into `self.spectrum`.
    fn analyse(&mut self, mix: &Stereo) {
        let shape = self.shape;
        for (channel, signal) in mix.planes().into_iter().enumerate() {
            let after = shape.margin() + shape.columns * shape.hop - shape.frames;
            let padded = reflect_pad(signal, shape.margin(), after);
            let planes = &mut self.spectrum[2 * channel * shape.plane()..][..2 * shape.plane()];
            let (real, imaginary) = planes.split_at_mut(shape.plane());
            let mut tile = vec![Bin::default(); TILE * shape.bins];
            for columns in shape.tiles() {
                for (row, column) in tile.chunks_exact_mut(shape.bins).zip(columns.clone()) {
                    let spectrum = self.stft.analyse(&padded[column * shape.hop..]);
                    row.copy_from_slice(&spectrum[..shape.bins]);
                }
                for bin in 0..shape.bins {
                    for (row, column) in columns.clone().enumerate() {
                        let value = tile[row * shape.bins + bin];
                        real[bin * shape.columns + column] = value.re;
                        imaginary[bin * shape.columns + column] = value.im;
                    }
                }
            }
        }
    }
}

impl Engine for Demucs {
    /// One run of the graph yields all stems, so that none can be left out.
    fn separate(&mut self, mix: &Stereo, _: &Options) -> Result<Vec<Stereo>, EngineError> {
        let shape = self.shape;
        debug_assert_eq!(mix.len(), shape.frames, "the caller shows whole segments");
        for (plane, signal) in self.mix.chunks_exact_mut(shape.frames).zip(mix.planes()) {
            plane.copy_from_slice(signal);
        }
        self.analyse(mix);
        let failed = |error: ort::Error| EngineError::Run {
            model: self.model.clone(),
            reason: error.to_string(),
        };
        let waveform = ([1, Stereo::CHANNELS, shape.frames], &self.mix[..]);
        let spectrum = ([1, 2 * Stereo::CHANNELS, shape.bins, shape.columns], &self.spectrum[..]);
        let outputs = self
            .session
            .run(ort::inputs![
                "mix" => TensorRef::from_array_view(waveform).map_err(failed)?,
                "mix_spectrogram" => TensorRef::from_array_view(spectrum).map_err(failed)?,
            ])
            .map_err(failed)?;
        let (_, waveforms) = outputs["stems"].try_extract_tensor::<f32>().map_err(failed)?;
        let (_, spectra) =
            outputs["stem_spectrograms"].try_extract_tensor::<f32>().map_err(failed)?;
        let channels = waveforms
            .chunks_exact(shape.frames)
            .zip(spectra.chunks_exact(2 * shape.plane()))
            .map(|(waveform, spectrum)| shape.synthesise(&mut self.stft, waveform, spectrum));
        let channels: Vec<Vec<f32>> = channels.collect();
        if channels.iter().flatten().any(|sample| !sample.is_finite()) {
            return Err(EngineError::NotFinite { model: self.model.clone() });
        }
        let mut channels = channels.into_iter();
        let mut stems = Vec::with_capacity(shape.stems);
        while let (Some(left), Some(right)) = (channels.next(), channels.next()) {
            stems.extend(Stereo::from_planes(left, right));
        }
        share_out(mix, &mut stems, &self.residual_shares);
        Ok(stems)
    }
}

impl Shape {
    /// Numbers in one plane of the spectrum.
    fn plane(&self) -> usize {
        self.bins * self.columns
    }

    /// How far the signal is mirrored at its start.
    fn margin(&self) -> usize {
        self.hop / 2 * 3
    }

    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let columns = self.columns;
        (0..columns).step_by(TILE).map(move |start| start..columns.min(start + TILE))
    }

    /// One channel of one stem: its waveform plus the inverse transform of its spectrum, whose real
    /// and imaginary planes follow each other.
    fn synthesise(&self, stft: &mut Stft, waveform: &[f32], spectrum: &[f32]) -> Vec<f32> {
        let (real, imaginary) = spectrum.split_at(self.plane());
        let mut sums = vec![0.0; stft.samples(self.columns)];
        let mut tile = vec![Bin::default(); TILE * self.bins];
        for columns in self.tiles() {
            for bin in 0..self.bins {
                let at = bin * self.columns;
                for (row, column) in columns.clone().enumerate() {
                    let value = Bin::new(real[at + column], imaginary[at + column]);
                    tile[row * self.bins + bin] = value;
                }
            }
            for (row, column) in tile.chunks_exact(self.bins).zip(columns) {
                let fill = |bins: &mut [Bin]| {
                    bins[..self.bins].copy_from_slice(row);
                    bins[self.bins..].fill(Bin::default());
                };
                stft.synthesise(fill, &mut sums[column * self.hop..]);
            }
        }
        // The frames that the reference adds at both ends are zero, so every sample that is kept lies
        // under as many windows as any other, and their squares sum to the same.
        let gain = stft.gain();
        waveform.iter().zip(&sums[self.margin()..]).map(|(time, sum)| time + sum / gain).collect()
    }

    /// Checks that the graph has the inputs and outputs that this shape says.
    fn check(&self, session: &Session) -> Result<(), String> {
        let (s, t, f, n) =
            (self.stems as i64, self.frames as i64, self.bins as i64, self.columns as i64);
        let expected = [
            ("mix", vec![1, 2, t]),
            ("mix_spectrogram", vec![1, 4, f, n]),
            ("stems", vec![1, s, 2, t]),
            ("stem_spectrograms", vec![1, s, 4, f, n]),
        ];
        let found: Vec<_> = session.inputs().iter().chain(session.outputs()).collect();
        for (name, dimensions) in expected {
            let Some(port) = found.iter().find(|port| port.name() == name) else {
                return Err(format!("the graph has no input or output {name:?}"));
            };
            let shape = port.dtype().tensor_shape().map(|shape| shape.to_vec());
            if shape.as_ref() != Some(&dimensions) {
                return Err(format!(
                    "{name} has the shape {shape:?}, the card says {dimensions:?}"
                ));
            }
        }
        Ok(())
    }
}
