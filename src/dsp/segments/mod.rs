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
mod tests;
