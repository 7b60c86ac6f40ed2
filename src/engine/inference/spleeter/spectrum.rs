//! The spectrum of a segment, as in Spleeter: whole columns only, without padding.

use crate::audio::Stereo;
use crate::dsp::Stft;
use crate::dsp::stft::{Bin, pack, pack_real, unpack};
use crate::model::card::StftShape;

/// The columns of both channels of one segment.
pub(super) struct Spectrum {
    stft: Stft,
    columns: usize,
    /// TensorFlow's forward transform is not scaled, ours is.
    scale: f32,
    /// [2, T, all bins].
    values: Vec<Bin>,
    /// One column of both channels.
    pair: Vec<Bin>,
}

impl Spectrum {
    /// Buffers for the whole columns of `frames` frames.
    pub(super) fn new(shape: StftShape, frames: usize) -> Spectrum {
        let stft = Stft::new(shape.size, shape.hop);
        let columns = (frames + shape.hop).saturating_sub(shape.size) / shape.hop;
        Spectrum {
            columns,
            scale: (shape.size as f32).sqrt(),
            values: vec![Bin::default(); Stereo::CHANNELS * columns * stft.bins()],
            pair: vec![Bin::default(); stft.size()],
            stft,
        }
    }

    /// T: the columns of a segment.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Bins of a column, up to the Nyquist frequency.
    pub(super) fn bins(&self) -> usize {
        self.stft.bins()
    }

    /// Computes the spectrum of `mix`.
    pub(super) fn analyse(&mut self, mix: &Stereo) {
        let (size, bins, hop) = (self.stft.size(), self.stft.bins(), self.stft.hop());
        let (left, right) = self.values.split_at_mut(self.columns * bins);
        let columns = left.chunks_exact_mut(bins).zip(right.chunks_exact_mut(bins));
        for (index, (left, right)) in columns.enumerate() {
            let frames = mix.planes().map(|signal| &signal[index * hop..]);
            self.stft.analyse(frames, &mut self.pair);
            for (bin, (left, right)) in left.iter_mut().zip(right).enumerate() {
                [*left, *right] = unpack(self.pair[bin], self.pair[(size - bin) % size]);
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

    /// Computes the waveform of the masked spectrum. `fill` writes the mask of a column; columns of the right channel follow
    /// those of the left.
    pub(super) fn synthesise(&mut self, fill: impl Fn(usize, &mut [f32])) -> Stereo {
        let (size, bins, hop) = (self.stft.size(), self.stft.bins(), self.stft.hop());
        let mut masks = [vec![0.0; bins], vec![0.0; bins]];
        let mut stem = Stereo::zeros(self.stft.samples(self.columns));
        for index in 0..self.columns {
            let places = [index, self.columns + index];
            for (mask, place) in masks.iter_mut().zip(places) {
                fill(place, mask);
            }
            let [left, right] = places.map(|place| &self.values[place * bins..][..bins]);
            let masked = |bin: usize| [left[bin] * masks[0][bin], right[bin] * masks[1][bin]];
            for bin in 1..size / 2 {
                let [left, right] = masked(bin);
                [self.pair[bin], self.pair[size - bin]] = pack(left, right);
            }
            for bin in [0, size / 2] {
                let [left, right] = masked(bin);
                self.pair[bin] = pack_real(left, right);
            }
            self.stft.synthesise(&mut self.pair);
            let [left, right] = stem.planes_mut();
            self.stft.add(&self.pair, |value| value.re, &mut left[index * hop..]);
            self.stft.add(&self.pair, |value| value.im, &mut right[index * hop..]);
        }
        stem
    }
}
