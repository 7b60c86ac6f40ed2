//! Overlap-add of the outputs of overlapping windows. What is not final yet is a value that can be
//! stored and restored.

use super::segments::Blend;
use crate::audio::{Frames, Stereo};

/// Weighted sums of several stems from frame `position` on: the overlap state.
///
/// All frames before `position` have been taken out as final. The sums are not normalised, as in
/// Demucs (`out += weight * chunk`, then `out /= sum_weight`), so that the result does not depend on
/// when frames are taken out.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlapAdd {
    position: Frames,
    weights: Vec<f32>,
    sums: Vec<Stereo>,
    blend: Blend,
}

impl OverlapAdd {
    /// Empty sums of `stems` stems from frame `position` on.
    pub fn new(stems: usize, position: Frames, blend: Blend) -> OverlapAdd {
        OverlapAdd { position, weights: Vec::new(), sums: vec![Stereo::new(); stems], blend }
    }

    /// Stored sums; `None` unless `weights` and every one of `sums` have the same length.
    pub fn restore(
        position: Frames,
        weights: Vec<f32>,
        sums: Vec<Stereo>,
        blend: Blend,
    ) -> Option<OverlapAdd> {
        let fits = sums.iter().all(|sum| sum.len() == weights.len());
        fits.then_some(OverlapAdd { position, weights, sums, blend })
    }

    /// First frame that is not final.
    pub fn position(&self) -> Frames {
        self.position
    }

    /// Sum of weights of each frame from `position` on.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Weighted sum of each stem from `position` on.
    pub fn sums(&self) -> &[Stereo] {
        &self.sums
    }

    /// Adds the stems of one window from frame `start` on, which must not be before `position`. Frame
    /// `i` has weight `weights[i]`; the stems may be shorter than `weights`.
    pub fn add(&mut self, start: Frames, weights: &[f32], stems: &[Stereo]) {
        let at = start.saturating_sub(self.position).as_len();
        let frames = stems.first().map_or(0, Stereo::len).min(weights.len());
        if self.weights.len() < at + frames {
            self.weights.resize(at + frames, 0.0);
            for sum in &mut self.sums {
                sum.resize(at + frames);
            }
        }
        for (total, weight) in self.weights[at..].iter_mut().zip(&weights[..frames]) {
            *total += weight;
        }
        for (sum, stem) in self.sums.iter_mut().zip(stems) {
            for (sum, stem) in sum.planes_mut().into_iter().zip(stem.planes()) {
                for ((sum, weight), sample) in sum[at..].iter_mut().zip(weights).zip(stem) {
                    *sum += weight * sample;
                }
            }
        }
    }

    /// Removes and returns the frames before `until`, or fewer if fewer have been added; no later
    /// window may contribute to them. With [`Blend::Average`] they are divided by their weights; frames
    /// without weight are zero.
    pub fn take_final(&mut self, until: Frames) -> Vec<Stereo> {
        let count = until.saturating_sub(self.position).as_len().min(self.weights.len());
        let weights: Vec<f32> = self.weights.drain(..count).collect();
        self.position += Frames::from_len(count);
        let take = |sum: &mut Stereo| {
            let mut stem = sum.take_front(count);
            if self.blend == Blend::Average {
                for plane in stem.planes_mut() {
                    for (sample, &weight) in plane.iter_mut().zip(&weights) {
                        *sample /= if weight == 0.0 { 1.0 } else { weight };
                    }
                }
            }
            stem
        };
        self.sums.iter_mut().map(take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mono(samples: &[f32]) -> Stereo {
        Stereo::from_planes(samples.to_vec(), samples.to_vec()).unwrap()
    }

    #[test]
    fn overlapping_windows_are_averaged_by_weight() {
        let mut sums = OverlapAdd::new(1, Frames(10), Blend::Average);
        sums.add(Frames(10), &[1.0, 1.0, 3.0], &[mono(&[2.0, 4.0, 8.0])]);
        sums.add(Frames(12), &[1.0, 1.0, 1.0], &[mono(&[4.0, 6.0])]);
        assert_eq!(sums.take_final(Frames(12)), [mono(&[2.0, 4.0])]);
        assert_eq!(sums.position(), Frames(12));
        assert_eq!(sums.take_final(Frames(99)), [mono(&[7.0, 6.0])]);
        assert_eq!(sums.position(), Frames(14));
    }

    #[test]
    fn restored_sums_equal_the_stored_ones() {
        let mut sums = OverlapAdd::new(1, Frames::ZERO, Blend::Average);
        sums.add(Frames(0), &[0.5, 1.0, 0.5], &[mono(&[1.0, 2.0, 3.0])]);
        sums.take_final(Frames(1));
        let (weights, stored) = (sums.weights().to_vec(), sums.sums().to_vec());
        let restored =
            OverlapAdd::restore(sums.position(), weights, stored, Blend::Average).unwrap();
        assert_eq!(restored, sums);
        assert_eq!(
            OverlapAdd::restore(Frames(0), vec![1.0], vec![Stereo::new()], Blend::Sum),
            None
        );
    }

    #[test]
    fn windows_of_a_spectrum_are_summed() {
        let mut sums = OverlapAdd::new(1, Frames::ZERO, Blend::Sum);
        sums.add(Frames(0), &[1.0; 3], &[mono(&[1.0, 2.0, 3.0])]);
        sums.add(Frames(1), &[1.0; 3], &[mono(&[4.0, 5.0])]);
        assert_eq!(sums.take_final(Frames(9)), [mono(&[1.0, 6.0, 8.0])]);
    }
}
