//! The spectra around a graph, as in HTDemucs.
//!
//! A spectrum is [4, F, N]: complex numbers as channels (left real, left imaginary, right real, right imaginary), F bins, N
//! columns. Padding and trimming are `_spec` and `_ispec` of the reference (demucs/htdemucs.py): the signal is mirrored by
//! one and a half hops, so that column `i` is centred on the middle of hop `i`, and the Nyquist bin is dropped.
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
use tile::{TILE, Tile};

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
}

impl Spectra {
    /// For segments of that length, computed with that many threads.
    pub fn new(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let (bins, columns) = (stft.size / 2, segment.as_len().div_ceil(stft.hop));
        let shape = SpectrumShape { bins, columns, hop: stft.hop };
        let transform = Transform::new(Stft::new(stft.size, stft.hop), columns);
        Spectra { shape, frames: segment.as_len(), transforms: vec![transform; threads.max(1)] }
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
    /// The samples under all columns.
    samples: Vec<f32>,
}

impl Transform {
    fn new(stft: Stft, columns: usize) -> Transform {
        Transform { tile: Tile::new(stft.size()), samples: vec![0.0; stft.samples(columns)], stft }
    }

    /// Writes a channel's spectrum into `planes`, [2, F, N].
    fn analyse(&mut self, shape: SpectrumShape, signal: &[f32], planes: &mut [f32]) {
        reflect_pad(signal, shape.margin(), &mut self.samples);
        for columns in shape.tiles() {
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
        for columns in shape.tiles() {
            self.tile.load(shape, columns.clone(), spectrum);
            for (pair, first, second) in self.tile.pairs(columns) {
                self.stft.synthesise(pair);
                self.stft.add(pair, |value| value.re, &mut self.samples[first * shape.hop..]);
                if let Some(second) = second {
                    self.stft.add(pair, |value| value.im, &mut self.samples[second * shape.hop..]);
                }
            }
        }
        // The columns that the reference adds at both ends are zero, so every kept sample has the same number of windows,
        // whose squares have the same sum.
        let samples = &self.samples[shape.margin()..][..frames];
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

    /// Samples by which the signal is mirrored at its start.
    fn margin(&self) -> usize {
        self.hop / 2 * 3
    }

    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let columns = self.columns;
        (0..columns).step_by(TILE).map(move |start| start..columns.min(start + TILE))
    }
}
