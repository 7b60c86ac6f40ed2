//! The windows of UVR's MDX-Net (`demix` of `MDXSeparator` in audio-separator).
//!
//! Zeros of a margin, half a column, lie before the track, so that the first window begins there, and zeros after it up to a
//! whole number of inner lengths, a window less two margins. The weights of a window are a symmetric Hann window over its
//! frames before the end of these zeros.

use super::{Segment, Segmentation, WindowShape, at_left};
use crate::audio::Frames;

impl Segmentation {
    /// Windows of `length` frames that overlap by the fraction `overlap` and begin `margin` frames before the track.
    pub fn hann(length: Frames, overlap: f64, margin: Frames) -> Segmentation {
        let (lead, shape) = (margin.0, WindowShape::Hann { margin });
        Segmentation { lead, shape, ..Segmentation::new(length, overlap) }
    }

    /// Weights of `frames` frames of a window.
    pub(super) fn hann_weights(&self, frames: Frames) -> Vec<f32> {
        // Without an overlap the reference has no window, whose ends would be zero.
        if self.stride == self.length { vec![1.0; frames.as_len()] } else { window(frames) }
    }

    /// [`Segmentation::segment`] for windows with the margin `lead`.
    pub(super) fn hann_segment(
        &self,
        index: u64,
        decoded: Frames,
        complete: bool,
    ) -> Option<Segment> {
        let start = self.start(index).0;
        let before = self.lead.saturating_sub(self.since(index));
        let end = start.saturating_add(self.length.saturating_sub(before));
        if end <= decoded.0 {
            return Some(at_left(index, start..end, before));
        }
        if !complete || start >= decoded.0 {
            return None;
        }
        let inner = self.length.saturating_sub(2 * self.lead).max(1);
        let frames = decoded.0.saturating_sub(self.origin);
        let padded = (frames / inner + 1).saturating_mul(inner).saturating_add(2 * self.lead);
        let weighted = padded.saturating_sub(self.since(index)).min(self.length);
        let segment = at_left(index, start..decoded.0, before);
        Some(Segment { weighted: Some(Frames(weighted)), ..segment })
    }
}

/// A symmetric Hann window: its first and its last frame are zero.
pub(super) fn window(length: Frames) -> Vec<f32> {
    let last = length.as_len().saturating_sub(1);
    let turn = std::f64::consts::TAU / last.max(1) as f64;
    let weight = |at: usize| if last == 0 { 1.0 } else { 0.5 - 0.5 * (turn * at as f64).cos() };
    (0..length.as_len()).map(|at| weight(at) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of 20 frames with a margin of 4, inner length 12.
    fn windows() -> Segmentation {
        Segmentation::hann(Frames(20), 0.25, Frames(4))
    }

    #[track_caller]
    fn check(total: u64, index: u64, span: std::ops::Range<u64>, zeros: usize, weighted: u64) {
        let segment = windows().segment(index, Frames(total), true).unwrap();
        assert_eq!((segment.span.clone(), segment.shown.clone()), (span.clone(), span));
        assert_eq!((segment.zeros_before, segment.trim_before), (zeros, zeros));
        let expected = window(Frames(weighted)).split_off(zeros);
        assert_eq!(windows().weights_of(&segment), expected);
    }

    // Expected values: `start`, `end` and `chunk_size_actual` of the reference for these lengths.
    #[test]
    fn windows_are_those_of_the_reference() {
        // The mixture with its zeros has 2 * 4 + 12 * (30 / 12 + 1) = 44 frames.
        assert_eq!(windows().count(Frames(30)), 3);
        check(30, 0, 0..16, 4, 20);
        check(30, 1, 11..30, 0, 20);
        check(30, 2, 26..30, 0, 14);
        // A multiple of the inner length is followed by another one: 44 again.
        check(24, 1, 11..24, 0, 20);
        // Shorter than a window: 20 frames with the zeros.
        check(5, 0, 0..5, 4, 20);
        assert_eq!(windows().count(Frames(5)), 1);
        assert_eq!(windows().count(Frames(0)), 0);
        assert_eq!(windows().segment(1, Frames(5), true), None);
    }

    #[test]
    fn the_first_window_waits_for_its_frames_without_the_margin() {
        assert_eq!(windows().segment(0, Frames(15), false), None);
        let early = windows().segment(0, Frames(16), false).unwrap();
        assert_eq!(Some(early), windows().segment(0, Frames(99), true));
        assert_eq!((windows().start(0), windows().start(1)), (Frames(0), Frames(11)));
    }

    #[test]
    fn every_frame_of_a_track_has_weight() {
        for (total, overlap) in [(1, 0.25), (12, 0.25), (31, 0.25), (100, 0.5), (100, 0.0)] {
            let windows = Segmentation::hann(Frames(20), overlap, Frames(4));
            let mut sums = vec![0.0; total as usize];
            for index in 0..windows.count(Frames(total)) {
                let segment = windows.segment(index, Frames(total), true).unwrap();
                let span = segment.span.start as usize..segment.span.end as usize;
                sums[span].iter_mut().zip(windows.weights_of(&segment)).for_each(|(s, w)| *s += w);
            }
            assert!(sums.iter().all(|&sum| sum > 1e-3), "{total} {overlap}: {sums:?}");
        }
    }

    #[test]
    fn another_engine_may_begin_within_the_track() {
        let windows = windows().from(Frames(100), 7);
        let first = windows.segment(7, Frames(200), false).unwrap();
        assert_eq!((first.span, first.shown, first.trim_before), (100..116, 96..116, 4));
    }
}
