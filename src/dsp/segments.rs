//! Which frames a model sees for which frames of the track, as data.
//!
//! There are two rules. [`Blend::Average`] is that of `apply_model` and `TensorChunk.padded` in Demucs:
//! windows start every `stride` frames; a window that would reach beyond the end of the track is cut
//! short, and the short window is then padded *centred* to the model's length, with the track's own
//! earlier frames on the left where there are any, and zeros elsewhere.
//!
//! [`Blend::Sum`] is that of Spleeter, which cuts the track's spectrum and not the track: the columns of
//! one window follow those of the one before. Neighbours share the frames under the columns at their
//! seam, and the sum of what each of them says is what one transform of the whole spectrum would say.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::audio::Frames;

/// What becomes of the frames on which several windows have a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blend {
    /// Their mean, in which the middle of a window counts most.
    #[default]
    Average,
    /// Their sum.
    Sum,
}

/// How a track is cut for a model that sees `length` frames at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segmentation {
    length: u64,
    stride: u64,
    /// The frame of the track that window `first` is the first to have a say in.
    origin: u64,
    first: u64,
    /// How far before the origin the first window starts.
    lead: u64,
    /// The track's windows end where a multiple of this many frames does; they are whole columns.
    hop: u64,
    blend: Blend,
}

/// One window: what the model is shown, and which part of its answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Counts from 0, or on from the windows before the segmentation's origin.
    pub index: u64,
    /// Frames of the track that this segment has a say in.
    pub span: Range<u64>,
    /// Frames of the track that the model is shown; contains `span`.
    pub shown: Range<u64>,
    /// Zeros in front of `shown`; the rest of the model's length is filled up behind it.
    pub zeros_before: usize,
    /// Where `span` begins in the model's answer.
    pub trim_before: usize,
}

impl Segmentation {
    /// Windows of `length` frames of which the fraction `overlap` (0 to below 1) is seen twice, to be
    /// averaged.
    ///
    /// The stride is rounded down as in the reference, but never to zero.
    pub fn new(length: Frames, overlap: f64) -> Segmentation {
        let stride = ((1.0 - overlap) * length.0 as f64) as u64;
        let length = length.0.max(1);
        let stride = stride.clamp(1, length);
        let blend = Blend::Average;
        Segmentation { length, stride, origin: 0, first: 0, lead: 0, hop: 1, blend }
    }

    /// Windows of `length` frames under whole columns of a spectrum, to be summed: a column covers `size`
    /// frames, the next starts `hop` frames later, and the first ends where the track begins.
    pub fn of_spectrum(length: Frames, size: Frames, hop: Frames) -> Segmentation {
        let (length, hop) = (length.0.max(1), hop.0.max(1));
        let stride = (length + hop).saturating_sub(size.0).max(1);
        let (lead, blend) = (size.0, Blend::Sum);
        Segmentation { length, stride, origin: 0, first: 0, lead, hop, blend }
    }

    /// The same windows, counted from `first` on and beginning at frame `origin` of the track. They are shown
    /// real earlier audio.
    #[must_use]
    pub fn from(self, origin: Frames, first: u64) -> Segmentation {
        Segmentation { origin: origin.0, first, ..self }
    }

    /// Frames that the model sees at once.
    pub fn length(&self) -> Frames {
        Frames(self.length)
    }

    /// Frames from one window's start to the next one's.
    pub fn stride(&self) -> Frames {
        Frames(self.stride)
    }

    /// What becomes of frames in several windows.
    pub fn blend(&self) -> Blend {
        self.blend
    }

    /// How much each frame of a window's span counts.
    pub fn weights(&self) -> Vec<f32> {
        match self.blend {
            Blend::Average => triangle(self.length()),
            Blend::Sum => vec![1.0; self.length().as_len()],
        }
    }

    /// With which window a track of `total` frames ends: its number, plus one.
    pub fn count(&self, total: Frames) -> u64 {
        let windows = match total.0.saturating_sub(self.origin) {
            0 => 0,
            frames => (frames.saturating_add(self.lead).div_ceil(self.hop))
                .saturating_mul(self.hop)
                .div_ceil(self.stride),
        };
        self.first.saturating_add(windows)
    }

    /// The first frame that window `index` has a say in; no later window reaches the frames before.
    pub fn start(&self, index: u64) -> Frames {
        Frames(self.origin.saturating_add(self.since(index).saturating_sub(self.lead)))
    }

    /// From the start of window `first` to that of window `index`.
    fn since(&self, index: u64) -> u64 {
        index.saturating_sub(self.first).saturating_mul(self.stride)
    }

    /// The window `index` of a track of which `decoded` frames are there; `complete` tells that there
    /// will be no more. `None` while too little is there to know it, or when there is no such window.
    pub fn segment(&self, index: u64, decoded: Frames, complete: bool) -> Option<Segment> {
        let (start, decoded) = (self.start(index).0, decoded.0);
        // Frames before the origin are the window's too, but others have had their say in them.
        let before = self.lead.saturating_sub(self.since(index));
        let end = start.saturating_add(self.length.saturating_sub(before));
        if end <= decoded {
            return Some(at_left(index, start..end, before));
        }
        if !complete || start >= decoded {
            return None;
        }
        match self.blend {
            Blend::Average => Some(centred(index, start..end, decoded)),
            Blend::Sum => Some(at_left(index, start..decoded, before)),
        }
    }
}

/// A window that is shown `before` frames in front of its span: real ones where there are any, else zeros.
fn at_left(index: u64, span: Range<u64>, before: u64) -> Segment {
    let shown = span.start.saturating_sub(before)..span.end;
    let zeros_before = (before - (span.start - shown.start)) as usize;
    Segment { index, span, shown, zeros_before, trim_before: before as usize }
}

/// A window that would be `whole`, of a track that ends at `decoded` in it.
fn centred(index: u64, whole: Range<u64>, decoded: u64) -> Segment {
    let (start, end) = (whole.start, whole.end);
    let before = (end - decoded) / 2;
    let shown_start = start.saturating_sub(before);
    Segment {
        index,
        span: start..decoded,
        shown: shown_start..decoded.min(end - before),
        zeros_before: (before - (start - shown_start)) as usize,
        trim_before: before as usize,
    }
}

/// The weights of a window's frames in the overlap-add: a triangle with its maximum, 1, in the middle.
fn triangle(length: Frames) -> Vec<f32> {
    let half = length.0 / 2;
    let rise = 1..=half;
    let fall = (1..=length.0 - half).rev();
    let peak = (length.0 - half) as f32;
    rise.chain(fall).map(|weight| weight as f32 / peak).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_spans(total: u64, (length, overlap): (u64, f64), expected: &[Range<u64>]) {
        let windows = Segmentation::new(Frames(length), overlap);
        let spans: Vec<_> = (0..windows.count(Frames(total)))
            .map(|i| windows.segment(i, Frames(total), true).unwrap().span)
            .collect();
        assert_eq!(spans, expected);
        assert_eq!(windows.segment(spans.len() as u64, Frames(total), true), None);
    }

    #[test]
    fn windows_cover_the_track_and_end_with_it() {
        check_spans(0, (4, 0.25), &[]);
        check_spans(2, (4, 0.25), &[Range { start: 0, end: 2 }]);
        check_spans(4, (4, 0.25), &[0..4, 3..4]);
        check_spans(10, (4, 0.25), &[0..4, 3..7, 6..10, 9..10]);
        check_spans(10, (4, 0.5), &[0..4, 2..6, 4..8, 6..10, 8..10]);
        check_spans(9, (4, 0.0), &[0..4, 4..8, 8..9]);
    }

    #[test]
    fn windows_may_begin_within_the_track() {
        let windows = Segmentation::new(Frames(8), 0.25).from(Frames(10), 3);
        assert_eq!(windows.count(Frames(23)), 6);
        assert_eq!(windows.segment(3, Frames(23), true).unwrap().span, 10..18);
        let last = windows.segment(5, Frames(23), true).unwrap();
        // Real earlier audio also from before the origin.
        assert_eq!((last.span, last.shown), (22..23, 19..23));
        assert_eq!(windows.segment(3, Frames(11), true).unwrap().shown, 7..11);
        assert_eq!(windows.segment(4, Frames(11), true), None);
    }

    #[test]
    fn a_window_waits_for_its_frames() {
        let windows = Segmentation::new(Frames(4), 0.25);
        assert_eq!(windows.segment(0, Frames(3), false), None);
        assert!(windows.segment(0, Frames(4), false).is_some());
        assert_eq!(windows.segment(1, Frames(6), false), None);
        assert!(windows.segment(1, Frames(6), true).is_some());
    }

    #[track_caller]
    fn check_padding(total: u64, index: u64, shown: Range<u64>, zeros: usize, trim: usize) {
        let segment =
            Segmentation::new(Frames(8), 0.25).segment(index, Frames(total), true).unwrap();
        assert_eq!(
            (segment.shown, segment.zeros_before, segment.trim_before),
            (shown, zeros, trim)
        );
    }

    // Expected values: `TensorChunk(torch.arange(total), offset, 8).padded(8)` of the reference.
    #[test]
    fn short_windows_are_centred_among_real_frames() {
        check_padding(20, 0, 0..8, 0, 0);
        check_padding(8, 1, 3..8, 0, 3);
        check_padding(11, 1, 5..11, 0, 1);
        check_padding(5, 0, 0..5, 1, 1);
        check_padding(2, 0, 0..2, 3, 3);
        check_padding(7, 1, 3..7, 0, 3);
    }

    #[test]
    fn the_triangle_is_the_references() {
        assert_eq!(triangle(Frames(4)), [0.5, 1.0, 1.0, 0.5]);
        assert_eq!(triangle(Frames(5)), [1.0 / 3.0, 2.0 / 3.0, 1.0, 2.0 / 3.0, 1.0 / 3.0]);
    }

    #[test]
    fn strides_round_down_as_in_the_reference() {
        let htdemucs = Segmentation::new(Frames(343_980), 0.25);
        assert_eq!(htdemucs.stride(), Frames(257_985));
        assert_eq!(Segmentation::new(Frames(8), 0.999).stride(), Frames(1));
    }

    // Windows of 3 columns, each under 4 frames, a column a frame: 6 frames every 3.
    #[track_caller]
    fn check_columns(total: u64, expected: &[(usize, Range<u64>)]) {
        let windows = Segmentation::of_spectrum(Frames(6), Frames(4), Frames(1));
        let found: Vec<_> = (0..windows.count(Frames(total)))
            .map(|i| windows.segment(i, Frames(total), true).unwrap())
            .map(|segment| (segment.zeros_before, segment.shown))
            .collect();
        assert_eq!(found, expected);
        assert!((0..9).all(|i| windows.segment(i, Frames(0), true).is_none()));
    }

    #[test]
    fn windows_of_a_spectrum_follow_each_other_from_before_the_track() {
        check_columns(0, &[]);
        check_columns(1, &[(4, 0..1), (1, 0..1)]);
        check_columns(2, &[(4, 0..2), (1, 0..2)]);
        check_columns(3, &[(4, 0..2), (1, 0..3), (0, 2..3)]);
        check_columns(9, &[(4, 0..2), (1, 0..5), (0, 2..8), (0, 5..9), (0, 8..9)]);
    }

    #[test]
    fn windows_of_a_spectrum_may_begin_within_the_track() {
        let windows = Segmentation::of_spectrum(Frames(6), Frames(4), Frames(1)).from(Frames(3), 7);
        let found: Vec<_> = (7..windows.count(Frames(9)))
            .map(|i| windows.segment(i, Frames(9), true).unwrap())
            .map(|segment| (segment.zeros_before, segment.shown, segment.trim_before, segment.span))
            .collect();
        let expected =
            [(1, 0..5, 4, 3..5), (0, 2..8, 1, 3..8), (0, 5..9, 0, 5..9), (0, 8..9, 0, 8..9)];
        assert_eq!(found, expected);
        assert_eq!(windows.count(Frames(3)), 7);
    }

    #[test]
    fn spleeters_windows_are_512_columns() {
        let windows = Segmentation::of_spectrum(Frames(527_360), Frames(4096), Frames(1024));
        assert_eq!(windows.stride(), Frames(524_288));
        assert_eq!(windows.segment(0, Frames(523_263), false), None);
        let first = windows.segment(0, Frames(523_264), false).unwrap();
        assert_eq!((first.zeros_before, first.span), (4096, 0..523_264));
        assert_eq!(windows.start(1), Frames(520_192));
        assert_eq!([1, 520_192, 520_193].map(|total| windows.count(Frames(total))), [1, 1, 2]);
    }
}
