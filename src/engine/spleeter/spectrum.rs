//! The spectrum of a segment as Spleeter has it: whole columns only, nothing mirrored.

use crate::audio::Stereo;
use crate::dsp::Stft;
use crate::dsp::stft::Bin;
use crate::engine::card::StftShape;

/// The columns of both channels of one segment.
pub(super) struct Spectrum {
    stft: Stft,
    columns: usize,
    /// TensorFlow's transform is not scaled forwards.
    scale: f32,
    /// [2, T, all bins].
    values: Vec<Bin>,
}

impl Spectrum {
    /// Room for the whole columns under `frames` frames.
    pub(super) fn new(shape: StftShape, frames: usize) -> Spectrum {
        let stft = Stft::new(shape.size, shape.hop);
        let columns = (frames + shape.hop).saturating_sub(shape.size) / shape.hop;
        Spectrum {
            columns,
            scale: (shape.size as f32).sqrt(),
            values: vec![Bin::default(); Stereo::CHANNELS * columns * stft.bins()],
            stft,
        }
    }

    /// T: columns of a segment.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Bins of a column, from 0 to half the sample rate.
    pub(super) fn bins(&self) -> usize {
        self.stft.bins()
    }

    /// Takes in the spectrum of `mix`.
    pub(super) fn analyse(&mut self, mix: &Stereo) {
        let bins = self.stft.bins();
        let hop = self.stft.hop();
        let channels = self.values.chunks_exact_mut(self.columns * bins);
        for (signal, columns) in mix.planes().into_iter().zip(channels) {
            for (index, column) in columns.chunks_exact_mut(bins).enumerate() {
                column.copy_from_slice(self.stft.analyse(&signal[index * hop..]));
            }
        }
    }

    /// Writes the magnitudes of the `seen` lowest bins, [2, T, seen].
    pub(super) fn magnitudes(&self, seen: usize, magnitudes: &mut [f32]) {
        let columns = self.values.chunks_exact(self.stft.bins());
        for (magnitudes, column) in magnitudes.chunks_exact_mut(seen).zip(columns) {
            for (magnitude, bin) in magnitudes.iter_mut().zip(column) {
                *magnitude = bin.norm_sqr().sqrt() * self.scale;
            }
        }
    }

    /// The waveform of the masked spectrum. `fill` writes the mask of a column, which counts through the
    /// left channel's and then the right's.
    pub(super) fn synthesise(&mut self, fill: impl Fn(usize, &mut [f32])) -> Stereo {
        let (bins, hop) = (self.stft.bins(), self.stft.hop());
        let gain = self.stft.gain();
        let mut mask = vec![0.0; bins];
        let mut channel = |channel: usize| {
            let mut sums = vec![0.0; self.stft.samples(self.columns)];
            for index in 0..self.columns {
                let at = channel * self.columns + index;
                fill(at, &mut mask);
                let column = &self.values[at * bins..][..bins];
                let masked = |into: &mut [Bin]| {
                    for ((into, bin), mask) in into.iter_mut().zip(column).zip(&mask) {
                        *into = bin * mask;
                    }
                };
                self.stft.synthesise(masked, &mut sums[index * hop..]);
            }
            sums.iter_mut().for_each(|sample| *sample /= gain);
            sums
        };
        let (left, right) = (channel(0), channel(1));
        Stereo::from_planes(left, right).unwrap_or_default()
    }
}
