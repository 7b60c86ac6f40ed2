//! The spectra around a graph, as in HTDemucs, SCNet, MDX-Net and RoFormer.
//!
//! A spectrum is [4, F, N]: complex numbers as channels (left real, left imaginary, right real, right imaginary), F bins, N
//! columns.
//!
//! [`Spectra::new`] is `_spec` and `_ispec` of HTDemucs (demucs/htdemucs.py): the signal is mirrored by one and a half hops,
//! so that column `i` is centred on the middle of hop `i`, and the Nyquist bin is dropped.
//!
//! [`Spectra::centred`] is `forward` of SCNet (scnet.py): no window, all bins, column `i` centred on the start of hop `i`. The
//! signal is filled up with zeros to whole hops, and by one more hop where the number of columns would be odd, because the
//! network transforms the columns once more.
//!
//! [`Spectra::unscaled`] is `torch.stft` with `center=True`, column `i` centred on the start of hop `i`, and its inverse: the
//! squared windows of other hops than a quarter do not sum to a constant, so each sample is divided by their sum.
//!
//! [`Spectra::windowed`] is `forward` of RoFormer (bs_roformer.py, mel_band_roformer.py): the same columns with the scale, each
//! transformed alone.
//!
//! The threads of the graph are idle meanwhile, so the channels are distributed over as many threads. Each channel is
//! computed by one thread, so the results do not depend on their number.

mod parallel;
mod tile;

use std::ops::Range;

use crate::audio::{Frames, Stereo};
use crate::dsp::Stft;
use crate::dsp::stft::reflect_pad;
use crate::model::card::StftShape;
use parallel::in_parallel;
use tile::{PAIRS, TILE, Tile};

/// Transforms segments of one length.
pub struct Spectra {
    shape: SpectrumShape,
    /// Frames of a segment.
    frames: usize,
    /// One per thread.
    transforms: Vec<Transform>,
}

/// A channel's spectrum, [2, F, N], and the T samples that its waveform is added to, if any.
pub type Channel<'a> = (&'a [f32], Option<&'a [f32]>);

/// The shape of a channel's spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpectrumShape {
    /// F: bins of the model.
    pub bins: usize,
    /// N: columns of a segment.
    pub columns: usize,
    hop: usize,
    /// Samples by which the signal is mirrored at its start.
    margin: usize,
    /// Samples of the signal with the zeros behind it.
    filled: usize,
    /// Whether columns are analysed one by one. A pair shares its rounding, which a network that normalises each column
    /// would amplify in a quiet one beside a loud one.
    alone: bool,
}

impl Spectra {
    /// For segments of HTDemucs of that length, computed with that many threads.
    pub fn new(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let filled = segment.as_len();
        let (bins, columns, margin) = (size / 2, filled.div_ceil(hop), hop / 2 * 3);
        let shape = SpectrumShape { bins, columns, hop, margin, filled, alone: false };
        // The columns that the reference adds at both ends are zero, so every kept sample has the same number of windows,
        // whose squares have the same sum.
        let transform = Transform::new(Stft::new(size, hop), shape, Vec::new());
        Spectra::of(shape, &transform, segment, threads)
    }

    /// For segments of SCNet of that length, computed with that many threads.
    pub fn centred(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let hops = segment.as_len() / hop + 1;
        let columns = (hops + 1).next_multiple_of(2);
        let (bins, margin, filled) = (size / 2 + 1, size / 2, (columns - 1) * hop);
        let shape = SpectrumShape { bins, columns, hop, margin, filled, alone: false };
        let stft = Stft::without_window(size, hop);
        let balance = stft.balance(columns);
        Spectra::of(shape, &Transform::new(stft, shape, balance), segment, threads)
    }

    /// With a Hann window and without a scale, of the `bins` lowest bins, for segments of whole hops, computed with that many
    /// threads.
    pub fn unscaled(stft: StftShape, bins: usize, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let (filled, margin) = (segment.as_len(), size / 2);
        let columns = filled / hop + 1;
        let shape = SpectrumShape { bins, columns, hop, margin, filled, alone: false };
        let stft = Stft::unscaled(size, hop);
        let balance = stft.balance(columns);
        Spectra::of(shape, &Transform::new(stft, shape, balance), segment, threads)
    }

    /// For segments of RoFormer of that length, computed with that many threads.
    pub fn windowed(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let filled = segment.as_len();
        let (bins, columns, margin) = (size / 2 + 1, filled / hop + 1, size / 2);
        let shape = SpectrumShape { bins, columns, hop, margin, filled, alone: true };
        let stft = Stft::under_rounded_window(size, hop);
        let balance = stft.balance(columns);
        Spectra::of(shape, &Transform::new(stft, shape, balance), segment, threads)
    }

    fn of(shape: SpectrumShape, transform: &Transform, segment: Frames, threads: usize) -> Spectra {
        let transforms = vec![transform.clone(); threads.max(1)];
        Spectra { shape, frames: segment.as_len(), transforms }
    }

    /// The shape of a channel's spectrum.
    pub fn shape(&self) -> SpectrumShape {
        self.shape
    }

    /// Writes the spectrum of `mix`, [4, F, N], into `spectrum`.
    pub fn analyse(&mut self, mix: &Stereo, spectrum: &mut [f32]) {
        let shape = self.shape;
        let channels = spectrum.chunks_exact_mut(2 * shape.plane());
        let mut channels: Vec<_> = mix.planes().into_iter().zip(channels).collect();
        let each = channels.len().div_ceil(self.transforms.len());
        let shares = self.transforms.iter_mut().zip(channels.chunks_mut(each));
        in_parallel(shares, |(transform, channels)| {
            for (signal, spectrum) in channels {
                transform.analyse(shape, signal, spectrum);
            }
        });
    }

    /// Computes the waveform of each channel.
    pub fn synthesise(&mut self, channels: &[Channel<'_>]) -> Vec<Vec<f32>> {
        let (shape, frames) = (self.shape, self.frames);
        let each = channels.len().div_ceil(self.transforms.len()).max(1);
        let shares = self.transforms.iter_mut().zip(channels.chunks(each));
        let waveforms = in_parallel(shares, |(transform, channels)| {
            let one = |&(spectrum, waveform): &Channel<'_>| {
                transform.synthesise(shape, spectrum, waveform, frames)
            };
            channels.iter().map(one).collect::<Vec<_>>()
        });
        waveforms.into_iter().flatten().collect()
    }
}

/// The buffers of one thread.
#[derive(Clone)]
struct Transform {
    stft: Stft,
    tile: Tile,
    /// The signal with the zeros behind it.
    filled: Vec<f32>,
    /// The samples under all columns.
    samples: Vec<f32>,
    /// Factors of these samples in the inverse transform, if there are any: [`Stft::balance`].
    balance: Vec<f32>,
}

impl Transform {
    fn new(stft: Stft, shape: SpectrumShape, balance: Vec<f32>) -> Transform {
        let samples = vec![0.0; stft.samples(shape.columns)];
        let (tile, filled) = (Tile::new(stft.size()), vec![0.0; shape.filled]);
        Transform { tile, filled, samples, stft, balance }
    }

    /// Writes a channel's spectrum into `planes`, [2, F, N].
    fn analyse(&mut self, shape: SpectrumShape, signal: &[f32], planes: &mut [f32]) {
        self.filled[..signal.len()].copy_from_slice(signal);
        reflect_pad(&self.filled, shape.margin, &mut self.samples);
        // As many columns as a tile has pairs are all first ones.
        for columns in shape.tiles(if shape.alone { PAIRS } else { TILE }) {
            for (pair, first, second) in self.tile.pairs(columns.clone()) {
                // Without a second column the second half of the pair is not used.
                let frames = [first, second.unwrap_or(first)];
                let frames = frames.map(|column| &self.samples[column * shape.hop..]);
                self.stft.analyse(frames, pair);
            }
            self.tile.store(shape, columns, planes);
        }
    }

    /// The waveform of a channel's `spectrum`, [2, F, N], plus `waveform` if there is one.
    fn synthesise(
        &mut self,
        shape: SpectrumShape,
        spectrum: &[f32],
        waveform: Option<&[f32]>,
        frames: usize,
    ) -> Vec<f32> {
        self.samples.fill(0.0);
        for columns in shape.tiles(TILE) {
            self.tile.load(shape, columns.clone(), spectrum);
            for (pair, first, second) in self.tile.pairs(columns) {
                self.stft.synthesise(pair);
                self.stft.add(pair, |value| value.re, &mut self.samples[first * shape.hop..]);
                if let Some(second) = second {
                    self.stft.add(pair, |value| value.im, &mut self.samples[second * shape.hop..]);
                }
            }
        }
        self.samples.iter_mut().zip(&self.balance).for_each(|(sample, factor)| *sample *= factor);
        let samples = &self.samples[shape.margin..][..frames];
        match waveform {
            Some(waveform) => {
                waveform.iter().zip(samples).map(|(one, other)| one + other).collect()
            }
            None => samples.to_vec(),
        }
    }
}

impl SpectrumShape {
    /// Values in one plane.
    pub fn plane(&self) -> usize {
        self.bins * self.columns
    }

    fn tiles(&self, size: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let columns = self.columns;
        (0..columns).step_by(size).map(move |start| start..columns.min(start + size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 and 16 have no whole quotient, so that the squared windows do not sum to a constant.
    #[test]
    fn unscaled_spectra_are_inverted_at_any_ratio_of_size_and_hop() {
        let (stft, segment) = (StftShape { size: 40, hop: 16 }, Frames(16 * 20));
        let mut spectra = Spectra::unscaled(stft, 21, segment, 2);
        let shape = spectra.shape();
        assert_eq!((shape.bins, shape.columns), (21, 21));
        let wave = |bin: f32| -> Vec<f32> {
            (0..320).map(|i| (i as f32 * std::f32::consts::TAU * bin / 40.0).cos()).collect()
        };
        let mix = Stereo::from_planes(wave(4.0), wave(2.0)).unwrap();
        let mut spectrum = vec![f32::NAN; 4 * shape.plane()];
        spectra.analyse(&mix, &mut spectrum);
        // Half of the sum of the window in its bin, and half of that in the next one.
        let real = |channel: usize, bin: usize| {
            let at = 2 * channel * shape.plane() + bin * shape.columns + 10;
            let (re, im) = (spectrum[at], spectrum[at + shape.plane()]);
            re.hypot(im)
        };
        assert!((real(0, 4) - 10.0).abs() < 1e-4 && (real(0, 5) - 5.0).abs() < 1e-4);
        assert!((real(1, 2) - 10.0).abs() < 1e-4 && real(1, 9).abs() < 1e-4);
        let channels: Vec<Channel<'_>> =
            spectrum.chunks(2 * shape.plane()).map(|channel| (channel, None)).collect();
        let found = spectra.synthesise(&channels);
        for (found, expected) in found.iter().flatten().zip(mix.planes().into_iter().flatten()) {
            assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
        }
    }

    #[test]
    fn bins_above_those_of_the_model_are_zero() {
        let (stft, segment) = (StftShape { size: 40, hop: 16 }, Frames(16 * 20));
        let spectra = || Spectra::unscaled(stft, 8, segment, 1);
        let plane = spectra().shape().plane();
        let channel = |seed: usize| -> Vec<f32> {
            (0..2 * plane).map(|i| ((i * i + seed) as f32).sin()).collect()
        };
        let (first, second) = (channel(1), channel(2));
        let mut used = spectra();
        // The first transform leaves its numbers in the buffers.
        used.synthesise(&[(&first, None)]);
        let found = used.synthesise(&[(&second, None)]);
        assert_eq!(found, spectra().synthesise(&[(&second, None)]));
    }
}
