//! The spectra around a graph, as in HTDemucs and as in SCNet.
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
    /// Samples by which the signal is mirrored at its start.
    margin: usize,
    /// Samples of the signal with the zeros behind it.
    filled: usize,
}

impl Spectra {
    /// For segments of HTDemucs of that length, computed with that many threads.
    pub fn new(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let filled = segment.as_len();
        let (bins, columns, margin) = (size / 2, filled.div_ceil(hop), hop / 2 * 3);
        let shape = SpectrumShape { bins, columns, hop, margin, filled };
        Spectra::of(shape, &Transform::new(Stft::new(size, hop), shape), segment, threads)
    }

    /// For segments of SCNet of that length, computed with that many threads.
    pub fn centred(stft: StftShape, segment: Frames, threads: usize) -> Spectra {
        let StftShape { size, hop } = stft;
        let hops = segment.as_len() / hop + 1;
        let columns = (hops + 1).next_multiple_of(2);
        let (bins, margin, filled) = (size / 2 + 1, size / 2, (columns - 1) * hop);
        let shape = SpectrumShape { bins, columns, hop, margin, filled };
        Spectra::of(
            shape,
            &Transform::new(Stft::without_window(size, hop), shape),
            segment,
            threads,
        )
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
}

impl Transform {
    fn new(stft: Stft, shape: SpectrumShape) -> Transform {
        let samples = vec![0.0; stft.samples(shape.columns)];
        Transform { tile: Tile::new(stft.size()), filled: vec![0.0; shape.filled], samples, stft }
    }

    /// Writes a channel's spectrum into `planes`, [2, F, N].
    fn analyse(&mut self, shape: SpectrumShape, signal: &[f32], planes: &mut [f32]) {
        self.filled[..signal.len()].copy_from_slice(signal);
        reflect_pad(&self.filled, shape.margin, &mut self.samples);
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
        self.balance_ends(shape);
        let samples = &self.samples[shape.margin..][..frames];
        match waveform {
            Some(waveform) => {
                waveform.iter().zip(samples).map(|(one, other)| one + other).collect()
            }
            None => samples.to_vec(),
        }
    }

    /// Scales the hops of a centred spectrum that fewer columns cover than the others.
    ///
    /// In HTDemucs there are none: the columns that the reference adds at both ends are zero, so every kept sample has the
    /// same number of windows, whose squares have the same sum.
    fn balance_ends(&mut self, shape: SpectrumShape) {
        if !shape.is_centred() {
            return;
        }
        let each = self.stft.size() / shape.hop;
        let kept = each / 2..shape.columns - 1 + each / 2;
        for (hop, samples) in self.samples.chunks_exact_mut(shape.hop).enumerate() {
            let covered = hop.min(shape.columns - 1) + 1 - (hop + 1).saturating_sub(each);
            if covered < each && kept.contains(&hop) {
                let factor = each as f32 / covered as f32;
                samples.iter_mut().for_each(|sample| *sample *= factor);
            }
        }
    }
}

impl SpectrumShape {
    /// Values in one plane.
    pub fn plane(&self) -> usize {
        self.bins * self.columns
    }

    /// Whether column `i` is centred on the start of hop `i`.
    fn is_centred(&self) -> bool {
        self.margin.is_multiple_of(self.hop)
    }

    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let columns = self.columns;
        (0..columns).step_by(TILE).map(move |start| start..columns.min(start + TILE))
    }
}
