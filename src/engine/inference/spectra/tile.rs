//! Between the planes of a spectrum, [F, N], where a bin's neighbours are those of other frames, and the
//! transform's pairs of frames, where they are the frame's other bins.

use std::ops::Range;

use super::SpectrumShape;
use crate::dsp::stft::{Bin, pack, pack_real, unpack};

/// Pairs of frames that are turned at once.
const PAIRS: usize = 8;

/// Frames of a tile: as many of a bin as fill a cache line. Frame `i` makes a pair with frame `i + PAIRS`.
pub(super) const TILE: usize = 2 * PAIRS;

/// Bins that are turned at once: they stay in the registers or near them.
const BLOCK: usize = 16;

/// How much farther apart two rows are than they are long: rows that are a power of two apart would all compete
/// for the same cache lines. The first of it holds the mirror image of the lowest bin.
const GAP: usize = 8;

/// Some frames of one channel, in pairs.
#[derive(Clone)]
pub(super) struct Tile {
    /// Bins of a pair.
    size: usize,
    rows: Vec<Bin>,
}

impl Tile {
    /// A tile of pairs of frames of `size` samples.
    pub(super) fn new(size: usize) -> Tile {
        Tile { size, rows: vec![Bin::default(); PAIRS * (size + GAP)] }
    }

    /// The spectra of the pairs, and which of `columns` they are of; the last may have no second one.
    pub(super) fn pairs(
        &mut self,
        columns: Range<usize>,
    ) -> impl Iterator<Item = (&mut [Bin], usize, Option<usize>)> {
        let size = self.size;
        let rows = self.rows.chunks_exact_mut(size + GAP);
        rows.zip(columns.clone()).map(move |(row, first)| {
            let second = first + PAIRS;
            (&mut row[..size], first, (second < columns.end).then_some(second))
        })
    }

    /// Writes `columns` of a channel's `spectrum`, [2, F, N].
    pub(super) fn store(
        &mut self,
        shape: SpectrumShape,
        columns: Range<usize>,
        spectrum: &mut [f32],
    ) {
        let (real, imaginary) = spectrum.split_at_mut(shape.plane());
        for row in self.rows.chunks_exact_mut(self.size + GAP) {
            row[self.size] = row[0];
        }
        for bins in blocks(shape.bins) {
            let (mut re, mut im) = ([[0.0; TILE]; BLOCK], [[0.0; TILE]; BLOCK]);
            for (pair, row) in self.rows.chunks_exact(self.size + GAP).enumerate() {
                let mirrored = row[self.size + 1 - bins.end..][..bins.len()].iter().rev();
                let values = row[bins.clone()].iter().zip(mirrored);
                for ((&value, &mirrored), (re, im)) in values.zip(re.iter_mut().zip(&mut im)) {
                    let [first, second] = unpack(value, mirrored);
                    (re[pair], re[pair + PAIRS]) = (first.re, second.re);
                    (im[pair], im[pair + PAIRS]) = (first.im, second.im);
                }
            }
            for (bin, (re, im)) in bins.zip(re.iter().zip(&im)) {
                let place = bin * shape.columns + columns.start;
                put(re, &mut real[place..][..columns.len()]);
                put(im, &mut imaginary[place..][..columns.len()]);
            }
        }
    }

    /// Takes in `columns` of a channel's `spectrum`, [2, F, N].
    pub(super) fn load(&mut self, shape: SpectrumShape, columns: Range<usize>, spectrum: &[f32]) {
        let (real, imaginary) = spectrum.split_at(shape.plane());
        let at = |bin: usize| bin * shape.columns + columns.start;
        let take = |plane: &[f32], bin: usize| taken(&plane[at(bin)..][..columns.len()]);
        for bins in blocks(shape.bins) {
            // For each bin and its mirror image: real and imaginary parts, pair by pair.
            let mut parts = [[[0.0; PAIRS]; 4]; BLOCK];
            for (bin, [re, im, mirrored_re, mirrored_im]) in bins.clone().zip(&mut parts) {
                let (real, imaginary) = (take(real, bin), take(imaginary, bin));
                for pair in 0..PAIRS {
                    let first = Bin::new(real[pair], imaginary[pair]);
                    let second = Bin::new(real[pair + PAIRS], imaginary[pair + PAIRS]);
                    let [value, mirrored] = pack(first, second);
                    (re[pair], im[pair]) = (value.re, value.im);
                    (mirrored_re[pair], mirrored_im[pair]) = (mirrored.re, mirrored.im);
                }
            }
            for (pair, row) in self.rows.chunks_exact_mut(self.size + GAP).enumerate() {
                for (value, [re, im, ..]) in row[bins.clone()].iter_mut().zip(&parts) {
                    *value = Bin::new(re[pair], im[pair]);
                }
                let mirrored = row[self.size + 1 - bins.end..][..bins.len()].iter_mut().rev();
                for (value, [_, _, re, im]) in mirrored.zip(&parts) {
                    *value = Bin::new(re[pair], im[pair]);
                }
            }
        }
        let lowest = take(real, 0);
        for (pair, row) in self.rows.chunks_exact_mut(self.size + GAP).enumerate() {
            row[0] = pack_real(lowest[pair].into(), lowest[pair + PAIRS].into());
            row[self.size / 2] = Bin::default();
        }
    }
}

/// All bins, some at a time.
fn blocks(bins: usize) -> impl Iterator<Item = Range<usize>> {
    (0..bins).step_by(BLOCK).map(move |start| start..bins.min(start + BLOCK))
}

/// The numbers of a row of a tile, and zeros where it has fewer.
fn taken(numbers: &[f32]) -> [f32; TILE] {
    numbers.try_into().unwrap_or_else(|_| {
        let mut row = [0.0; TILE];
        row[..numbers.len()].copy_from_slice(numbers);
        row
    })
}

/// Writes as many numbers of a row as there is room for.
fn put(row: &[f32; TILE], numbers: &mut [f32]) {
    match <&mut [f32; TILE]>::try_from(&mut *numbers) {
        Ok(whole) => *whole = *row,
        Err(_) => numbers.copy_from_slice(&row[..numbers.len()]),
    }
}
