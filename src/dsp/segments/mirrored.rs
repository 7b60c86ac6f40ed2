//! The windows of Music-Source-Separation-Training (`demix` in utils/model_utils.py), for a batch of one.
//!
//! `parts` windows overlap in each frame. A track longer than two borders, each of a window less a stride, continues
//! mirrored by a border at both ends, and the first window begins a border before it. A shorter one begins with the first
//! window. What reaches beyond that is mirrored once more, or zero if the window has less than half of its frames.

use super::{Blend, Segment, Segmentation, WindowShape};
use crate::audio::Frames;

/// How the track continues in the input of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reflection {
    /// The frame at the start of the input; those before the track are negative.
    pub(super) start: i64,
    /// The frames at which the input is mirrored behind the track: its last one, and that of its border.
    turns: [i64; 2],
    /// The first frame that is zero.
    end: i64,
    /// Whether the weights fade in, and out.
    pub(super) fades: [bool; 2],
}

impl Segmentation {
    /// Windows of `length` frames, of which `parts`, two or more, overlap in each frame.
    pub fn mirrored(length: Frames, parts: u64) -> Segmentation {
        let length = length.0.max(2);
        let stride = (length / parts.max(2)).max(1);
        let (lead, blend, shape) = (length - stride, Blend::Average, WindowShape::Mirrored);
        Segmentation { length, stride, origin: 0, first: 0, lead, hop: 1, blend, shape }
    }

    /// Frames by which the first window starts before the origin in a track of `total` frames.
    pub(super) fn lead_in(&self, total: Frames) -> u64 {
        let is_short = self.shape == WindowShape::Mirrored && total.0 <= 2 * self.lead;
        if is_short { 0 } else { self.lead }
    }

    /// [`Segmentation::segment`] for mirrored windows.
    pub(super) fn mirrored_segment(
        &self,
        index: u64,
        decoded: Frames,
        complete: bool,
    ) -> Option<Segment> {
        let lead = self.lead_in(decoded);
        if lead == 0 && !complete {
            return None;
        }
        let signed = |frames: u64| i64::try_from(frames).unwrap_or(i64::MAX / 4);
        let (length, stride) = (signed(self.length), signed(self.stride));
        let start = signed(self.origin) + signed(self.since(index)) - signed(lead);
        let (total, end) = (signed(decoded.0), start + length);
        if start >= total || end > total && !complete {
            return None;
        }
        let is_short = lead == 0;
        let reflection = Reflection {
            start,
            turns: if end > total { [total - 1, total + signed(lead) - 1] } else { [end, end] },
            end: if is_short && total - start <= length / 2 { total } else { end },
            // The borders hide the ends of a long track's windows.
            fades: [!is_short || start > 0, !is_short || start == 0 || start + stride < total],
        };
        let from = start.max(signed(self.origin));
        Some(Segment {
            index,
            span: from.unsigned_abs()..end.min(total).unsigned_abs(),
            shown: reflection.shown(end),
            zeros_before: 0,
            trim_before: usize::try_from(from - start).unwrap_or(0),
            reflection: Some(reflection),
            weighted: None,
        })
    }
}

impl Reflection {
    /// The frame of the track at place `at` of the continued one; `None` for zero.
    pub(super) fn source(&self, at: i64) -> Option<u64> {
        let [track, border] = self.turns;
        let folded = if at > border { 2 * border - at } else { at };
        let folded = if folded > track { 2 * track - folded } else { folded };
        (at < self.end).then_some(folded.unsigned_abs())
    }

    /// The frames of the track in an input that ends at `end`.
    fn shown(&self, end: i64) -> std::ops::Range<u64> {
        // The extremes lie at the ends of the input and where it turns.
        let within = |at: &i64| (self.start..end.min(self.end)).contains(at);
        let places = [self.start, end.min(self.end) - 1, 0, self.turns[0], self.turns[1]];
        let frames = places.into_iter().filter(within).filter_map(|at| self.source(at));
        let (least, most) = frames.fold((u64::MAX, 0), |(a, b), at| (a.min(at), b.max(at)));
        least..most + 1
    }
}

/// Weights of a window with linear fades over a tenth of it, where there are any. At their outer ends they are zero.
pub(super) fn window(length: Frames, [fades_in, fades_out]: [bool; 2]) -> Vec<f32> {
    let mut weights = vec![1.0; length.as_len()];
    let fade = weights.len() / 10;
    let ramp = |at: usize| at as f32 / (fade.max(2) - 1) as f32;
    for at in 0..fade {
        if fades_in {
            weights[at] = ramp(at);
        }
        if fades_out {
            weights[length.as_len() - 1 - at] = ramp(at);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inputs and weights of all windows of a track of the frames 1, 2, …
    fn windows(total: u64, parts: u64) -> Vec<(Vec<f32>, Vec<f32>)> {
        let windows = Segmentation::mirrored(Frames(20), parts);
        let all = 0..windows.count(Frames(total));
        let window = |index| {
            let segment = windows.segment(index, Frames(total), true).unwrap();
            let shown: Vec<f32> = segment.shown.clone().map(|frame| frame as f32 + 1.0).collect();
            let mut input = vec![0.0; 20];
            segment.lay_out(&shown, &mut input);
            (input, windows.weights_of(&segment))
        };
        all.map(window).collect()
    }

    #[test]
    fn long_tracks_continue_mirrored_at_both_ends() {
        let found = windows(27, 2);
        assert_eq!(found.len(), 4);
        let first = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        assert_eq!(found[0].0, first.map(|frame| frame as f32));
        // The border ends with frame 17, and what would follow is mirrored at that one.
        let last = [21, 22, 23, 24, 25, 26, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 18, 19, 20];
        assert_eq!(found[3].0, last.map(|frame| frame as f32));
        assert_eq!(found[0].1, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn short_tracks_begin_with_the_first_window() {
        let found = windows(14, 2);
        assert_eq!(found.len(), 2);
        let first = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 13, 12, 11, 10, 9, 8];
        assert_eq!(found[0].0, first.map(|frame| frame as f32));
        assert_eq!((found[0].1[0], found[0].1[19]), (1.0, 0.0));
        // Less than half a window is followed by zeros.
        let (input, weights) = &found[1];
        assert_eq!(input[..4], [11.0, 12.0, 13.0, 14.0]);
        assert!(input[4..].iter().all(|&sample| sample == 0.0));
        assert_eq!((weights[0], weights[19]), (0.0, 1.0));
    }

    #[test]
    fn the_first_window_waits_for_two_borders_and_a_frame() {
        let windows = Segmentation::mirrored(Frames(20), 4);
        assert_eq!(windows.segment(0, Frames(30), false), None);
        let first = windows.segment(0, Frames(31), false).unwrap();
        assert_eq!((first.span, first.shown, first.trim_before), (0..5, 0..16, 15));
        assert_eq!(windows.start(3), Frames(0));
        assert_eq!(windows.start(4), Frames(5));
    }
}
