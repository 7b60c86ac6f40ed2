//! Cross-fade between two engines: the frames of the previous engine that were not final yet fade out
//! while those of the next one fade in.

use std::f32::consts::TAU;

use crate::audio::{Frames, Stereo};
use crate::dsp::OverlapAdd;

/// Several stems of the previous engine from frame `position` on, each frame multiplied by its share
/// of the result, and these shares (0 to 1).
#[derive(Debug, Clone, PartialEq)]
pub struct FadeOut {
    position: Frames,
    shares: Vec<f32>,
    stems: Vec<Stereo>,
}

impl FadeOut {
    /// An empty fade.
    pub fn none(stems: usize, position: Frames) -> FadeOut {
        FadeOut { position, shares: Vec::new(), stems: vec![Stereo::new(); stems] }
    }

    /// A stored fade; `None` unless `shares` and every one of `stems` have the same length.
    pub fn restore(position: Frames, shares: Vec<f32>, stems: Vec<Stereo>) -> Option<FadeOut> {
        let fits = stems.iter().all(|stem| stem.len() == shares.len());
        fits.then_some(FadeOut { position, shares, stems })
    }

    /// Share of each frame from `position` on.
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// Each stem from `position` on, already multiplied by the shares.
    pub fn stems(&self) -> &[Stereo] {
        &self.stems
    }

    /// Fades out `overlap` too, the overlap state of the engine that followed this fade's. Of each of
    /// its frames the share `present` has been added, and it is multiplied by its factor.
    #[must_use]
    pub fn followed_by(
        mut self,
        mut overlap: OverlapAdd,
        present: &[f32],
        factors: &[f32],
    ) -> FadeOut {
        let position = overlap.position();
        let before = self.shares.clone();
        let mut stems = overlap.take_final(Frames(u64::MAX));
        self.mix_into(&mut stems);
        for plane in stems.iter_mut().flat_map(Stereo::planes_mut) {
            plane.iter_mut().zip(factors).for_each(|(sample, factor)| *sample *= factor);
        }
        let before = before.into_iter().chain(std::iter::repeat(0.0));
        let shares = before.zip(present).zip(factors);
        let shares =
            shares.map(|((before, present), factor)| (before + (1.0 - before) * present) * factor);
        FadeOut { position, shares: shares.collect(), stems }
    }

    /// Mixes the frames that fade into the next engine's final frames, which must begin at `position`.
    pub fn mix_into(&mut self, finals: &mut [Stereo]) {
        let frames = finals.first().map_or(0, Stereo::len);
        let count = frames.min(self.shares.len());
        let shares: Vec<f32> = self.shares.drain(..count).collect();
        self.position += Frames::from_len(frames);
        for (stem, fading) in finals.iter_mut().zip(&mut self.stems) {
            let fading = fading.take_front(count);
            for (plane, fading) in stem.planes_mut().into_iter().zip(fading.planes()) {
                for ((sample, old), share) in plane.iter_mut().zip(fading).zip(&shares) {
                    *sample = old + (1.0 - share) * *sample;
                }
            }
        }
    }
}

/// The shares that an engine's frames would have had beside its own next windows: `weights` are the
/// sums of weights of its frames, `window` the weights of each next window, one every `stride` frames.
pub fn natural_shares(weights: &[f32], window: &[f32], stride: Frames) -> Vec<f32> {
    let stride = stride.as_len().max(1);
    let following = |at: usize| -> f32 {
        (0..=at / stride).filter_map(|index| window.get(at - index * stride)).sum()
    };
    let share = |(at, &weight): (usize, &f32)| match weight {
        0.0 => 0.0,
        weight => weight / (weight + following(at)),
    };
    weights.iter().enumerate().map(share).collect()
}

/// The share of each of `frames` frames that an engine's columns have contributed, if the next column
/// would have begun after `whole` frames: the sum of the squared windows of these columns over that of
/// all columns. Columns have `size` frames, one every `hop` frames.
pub fn column_shares(whole: usize, frames: usize, size: Frames, hop: Frames) -> Vec<f32> {
    let (size, hop) = (size.as_len(), hop.as_len().max(1));
    let squares = |at: usize| -> f32 {
        let hann = |at: usize| 0.5 - 0.5 * (TAU * at as f32 / size as f32).cos();
        (at..size).step_by(hop).map(|at| hann(at).powi(2)).sum()
    };
    let share = |at: usize| match at.checked_sub(whole) {
        None => 1.0,
        // The column `k` hops before the next one has this frame at `after + k * hop`.
        Some(after) => squares(after + hop) / squares(after % hop),
    };
    (0..frames).map(share).collect()
}

/// The share of each of a summed window's `length` frames that its own columns contribute, beside
/// those of the neighbouring windows. The shares of all windows in a frame sum to 1.
pub fn window_shares(length: Frames, size: Frames, hop: Frames) -> Vec<f32> {
    let length = length.as_len();
    let overlap = size.as_len().saturating_sub(hop.as_len());
    let stride = length.saturating_sub(overlap);
    let seam = column_shares(0, overlap, size, hop);
    let before = |at: usize| seam.get(at).copied().unwrap_or(0.0);
    let until = |at: usize| at.checked_sub(stride).map_or(1.0, &before);
    (0..length).map(|at| until(at) - before(at)).collect()
}

/// Shares that fall in a straight line from 1 to 0.
pub fn linear_shares(frames: usize) -> Vec<f32> {
    (1..=frames).map(|at| 1.0 - at as f32 / (frames + 1) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::Segmentation;
    use crate::dsp::segments::Blend;

    fn mono(samples: Vec<f32>) -> Stereo {
        Stereo::from_planes(samples.clone(), samples).unwrap()
    }

    /// Stems that differ from segment to segment, as those of real models do.
    fn answer(index: u64, length: usize) -> [Stereo; 1] {
        [mono((0..length).map(|i| ((i * 7 + 3) as f32 * (index + 1) as f32).sin()).collect())]
    }

    #[track_caller]
    fn check_identical(windows: Segmentation, at: u64) {
        let (window, length) = (windows.weights(), windows.length().as_len());
        let start = |index: u64| Frames(index * windows.stride().0);
        let run = |handed_over: Option<u64>| -> Stereo {
            let mut sums = OverlapAdd::new(1, Frames::ZERO, Blend::Average);
            let mut fade = FadeOut::none(1, Frames::ZERO);
            let mut stem = Stereo::new();
            for index in 0..6 {
                if handed_over == Some(index) {
                    let shares = natural_shares(sums.weights(), &window, windows.stride());
                    let position = sums.position();
                    fade = fade.followed_by(sums, &vec![1.0; shares.len()], &shares);
                    sums = OverlapAdd::new(1, position, Blend::Average);
                }
                sums.add(start(index), &window, &answer(index, length));
                let mut finals = sums.take_final(start(index + 1));
                fade.mix_into(&mut finals);
                stem.extend(&finals[0]);
            }
            stem
        };
        let (whole, handed_over) = (run(None), run(Some(at)));
        assert_eq!(handed_over.len(), whole.len());
        for (found, expected) in handed_over.left().iter().zip(whole.left()) {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }

    #[test]
    fn an_engine_that_follows_itself_changes_nothing() {
        for at in [0, 1, 3, 5] {
            check_identical(Segmentation::new(Frames(8), 0.25), at);
            check_identical(Segmentation::new(Frames(9), 0.5), at);
            check_identical(Segmentation::new(Frames(12), 0.75), at);
            // The first and the last frame of such a window have no weight.
            check_identical(Segmentation::mirrored(Frames(40), 2), at);
            check_identical(Segmentation::mirrored(Frames(40), 4), at);
        }
    }

    #[test]
    fn missing_columns_are_filled_by_the_next_engine() {
        // Eight frames a column, one every two frames: six frames have only some of their columns.
        let (size, hop) = (Frames(8), Frames(2));
        let shares = column_shares(3, 9, size, hop);
        assert_eq!(shares[..3], [1.0; 3]);
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]), "{shares:?}");
        assert!(shares[8] < 0.05, "{shares:?}");
        // The partial sum of a constant plus the missing part is the constant.
        let hann = |at: usize| (0.5 - 0.5 * (TAU * at as f32 / 8.0).cos()).powi(2) / 1.5;
        let part = |at: usize| (1..4).map(|k| at + 2 * k).filter(|&n| n < 8).map(hann).sum::<f32>();
        let summed: Vec<f32> = (0..6).map(part).collect();
        let mut sums = OverlapAdd::new(1, Frames(0), Blend::Sum);
        sums.add(Frames(0), &[1.0; 6], &[mono(summed)]);
        let present = column_shares(0, 6, size, hop);
        let fade = FadeOut::none(1, Frames(0)).followed_by(sums, &present, &[1.0; 6]);
        let mut finals = [mono(vec![1.0; 6])];
        fade.clone().mix_into(&mut finals);
        assert!(finals[0].left().iter().all(|sample| (sample - 1.0).abs() < 1e-5), "{finals:?}");
    }

    #[test]
    fn two_consecutive_fades_multiply() {
        let mut sums = OverlapAdd::new(1, Frames(10), Blend::Average);
        sums.add(Frames(10), &[1.0; 3], &[mono(vec![1.0; 3])]);
        let fade = FadeOut::none(1, Frames(10)).followed_by(sums, &[1.0; 3], &linear_shares(3));
        assert_eq!(fade.shares(), [0.75, 0.5, 0.25]);
        let mut sums = OverlapAdd::new(1, Frames(10), Blend::Average);
        sums.add(Frames(10), &[1.0; 3], &[mono(vec![0.0; 3])]);
        let mut fade = fade.followed_by(sums, &[1.0; 3], &linear_shares(3));
        let mut finals = [mono(vec![0.0; 4])];
        fade.mix_into(&mut finals);
        assert_eq!(finals[0], mono(vec![0.75 * 0.75, 0.5 * 0.5, 0.25 * 0.25, 0.0]));
        assert!(fade.shares().is_empty());
    }

    #[test]
    fn shares_of_summed_windows_sum_to_one() {
        for (length, size, hop) in [(1024 * 9 + 3072, 4096, 1024), (8, 8, 2), (10, 8, 2)] {
            let frames = Frames::from_len;
            let shares = window_shares(frames(length), frames(size), frames(hop));
            assert_eq!(shares.len(), length);
            let stride = length - (size - hop);
            let all = |at: usize| (at % stride..length).step_by(stride).map(|k| shares[k]).sum();
            let sums: Vec<f32> = (0..stride).map(all).collect();
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        }
    }
}
