//! The spectra around a graph, as HTDemucs has them.
//!
//! A spectrum is [4, F, N]: the complex numbers as channels (left real, left imaginary, right real,
//! right imaginary), F bins, N frames. Padding and trimming are `_spec` and `_ispec` of the reference
//! (demucs/htdemucs.py): the signal is mirrored by one and a half hops, so that frame `i` is centred
//! on the middle of hop `i`, and the bin at half the sample rate is left out.

use std::ops::Range;

use super::card::StftShape;
use crate::audio::{Frames, Stereo};
use crate::dsp::Stft;
use crate::dsp::stft::{Bin, reflect_pad};

/// Spectrum frames that are turned at once, so that memory is touched in whole cache lines.
const TILE: usize = 16;

/// Transforms segments of one length.
pub struct Spectra {
    stft: Stft,
    shape: SpectrumShape,
    /// Frames of a segment.
    frames: usize,
}

/// The shape of a channel's spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpectrumShape {
    /// F: bins that the model sees.
    pub bins: usize,
    /// N: spectrum frames of a segment.
    pub columns: usize,
    hop: usize,
}

impl Spectra {
    /// Spectra of segments of that length.
    pub fn new(stft: StftShape, segment: Frames) -> Spectra {
        let (bins, columns) = (stft.size / 2, segment.as_len().div_ceil(stft.hop));
        Spectra {
            stft: Stft::new(stft.size, stft.hop),
            shape: SpectrumShape { bins, columns, hop: stft.hop },
            frames: segment.as_len(),
        }
    }

    /// The shape of a channel's spectrum.
    pub fn shape(&self) -> SpectrumShape {
        self.shape
    }

    /// Writes the spectrum of `mix`, [4, F, N], into `spectrum`.
    pub fn analyse(&mut self, mix: &Stereo, spectrum: &mut [f32]) {
        let shape = self.shape;
        let after = shape.margin() + shape.columns * shape.hop - self.frames;
        let channels = spectrum.chunks_exact_mut(2 * shape.plane());
        for (signal, planes) in mix.planes().into_iter().zip(channels) {
            let padded = reflect_pad(signal, shape.margin(), after);
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

    /// Adds one channel's waveform of `spectrum`, [2, F, N], to `signal`.
    pub fn synthesise(&mut self, spectrum: &[f32], signal: &mut [f32]) {
        let shape = self.shape;
        let (real, imaginary) = spectrum.split_at(shape.plane());
        let mut sums = vec![0.0; self.stft.samples(shape.columns)];
        let mut tile = vec![Bin::default(); TILE * shape.bins];
        for columns in shape.tiles() {
            for bin in 0..shape.bins {
                let at = bin * shape.columns;
                for (row, column) in columns.clone().enumerate() {
                    let value = Bin::new(real[at + column], imaginary[at + column]);
                    tile[row * shape.bins + bin] = value;
                }
            }
            for (row, column) in tile.chunks_exact(shape.bins).zip(columns) {
                let fill = |bins: &mut [Bin]| {
                    bins[..shape.bins].copy_from_slice(row);
                    bins[shape.bins..].fill(Bin::default());
                };
                self.stft.synthesise(fill, &mut sums[column * shape.hop..]);
            }
        }
        // The frames that the reference adds at both ends are zero, so every sample that is kept lies
        // under as many windows as any other, and their squares sum to the same.
        let gain = self.stft.gain();
        for (sample, sum) in signal.iter_mut().zip(&sums[shape.margin()..]) {
            *sample += sum / gain;
        }
    }
}

impl SpectrumShape {
    /// Numbers in one plane.
    pub fn plane(&self) -> usize {
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
}
