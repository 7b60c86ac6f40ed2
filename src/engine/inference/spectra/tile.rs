//! Transposes between the planes of a spectrum, [F, N], in which the columns of a bin are contiguous, and the pairs of
//! columns of the transform, in which the bins of a column are contiguous.

use std::ops::Range;

use super::SpectrumShape;
use crate::dsp::stft::{Bin, pack, pack_real, unpack};

/// Pairs of columns that are transposed at once.
pub(super) const PAIRS: usize = 8;

/// Columns of a tile: one bin of them fills a cache line. Column `i` is paired with column `i + PAIRS`.
pub(super) const TILE: usize = 2 * PAIRS;

/// Bins that are transposed at once: they fit the registers or the first cache.
const BLOCK: usize = 16;

/// Bins of padding between two rows: rows at a distance of a power of two would compete for the same cache lines. The first
/// one holds the mirror image of the lowest bin.
const GAP: usize = 8;

/// Some columns of one channel, in pairs.
#[derive(Clone)]
pub(super) struct Tile {
    /// Bins of a row.
    size: usize,
    rows: Vec<Bin>,
}

impl Tile {
    /// A tile of pairs of columns of `size` samples.
    pub(super) fn new(size: usize) -> Tile {
        Tile { size, rows: vec![Bin::default(); PAIRS * (size + GAP)] }
    }

    /// The spectra of the pairs, with their two columns of `columns`; the last pairs may have no second one.
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

    /// Writes the tile to `columns` of a channel's `spectrum`, [2, F, N].
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

    /// Reads the tile from `columns` of a channel's `spectrum`, [2, F, N].
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
        // The bins above those of the model are zero.
        let nyquist = self.size / 2;
        let highest = if shape.bins > nyquist { take(real, nyquist) } else { [0.0; TILE] };
        let lowest = take(real, 0);
        for (pair, row) in self.rows.chunks_exact_mut(self.size + GAP).enumerate() {
            row[0] = pack_real(lowest[pair].into(), lowest[pair + PAIRS].into());
            if shape.bins < nyquist {
                row[shape.bins..=self.size - shape.bins].fill(Bin::default());
            }
            row[nyquist] = pack_real(highest[pair].into(), highest[pair + PAIRS].into());
        }
    }
}

/// The bins in blocks.
fn blocks(bins: usize) -> impl Iterator<Item = Range<usize>> {
    (0..bins).step_by(BLOCK).map(move |start| start..bins.min(start + BLOCK))
}

/// A row of a tile, padded with zeros.
fn taken(numbers: &[f32]) -> [f32; TILE] {
    numbers.try_into().unwrap_or_else(|_| {
        let mut row = [0.0; TILE];
        row[..numbers.len()].copy_from_slice(numbers);
        row
    })
}

/// Writes as much of a row as `numbers` holds.
fn put(row: &[f32; TILE], numbers: &mut [f32]) {
    match <&mut [f32; TILE]>::try_from(&mut *numbers) {
        Ok(whole) => *whole = *row,
        Err(_) => numbers.copy_from_slice(&row[..numbers.len()]),
    }
}
