//! Cuts a track into overlapping segments: which frames a model sees for which frames of the track.
//!
//! There are four rules. [`Segmentation::new`] is that of `apply_model` and `TensorChunk.padded` in Demucs:
//! windows start every `stride` frames. A window that would reach beyond the end of the track is cut
//! short and padded *centred* to the model's length, with earlier frames of the track on the left
//! where there are any, and zeros elsewhere.
//!
//! [`Segmentation::of_spectrum`] is that of Spleeter, which cuts the track's spectrum instead of the track: the
//! columns of one window follow those of the previous one. Neighbouring windows share the frames under
//! the columns at their seam, and the sum of their outputs equals one transform of the whole spectrum.
//!
//! [`Segmentation::mirrored`] is that of Music-Source-Separation-Training: the track continues mirrored at
//! both ends, and windows fade in and out.
//!
//! [`Segmentation::hann`] is that of UVR's MDX-Net: the first window begins before the track, and the weights are a Hann
//! window.

mod hann;
mod mirrored;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::audio::Frames;

/// How the outputs of several windows for the same frame are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blend {
    /// Weighted mean; the middle of a window has the largest weight.
    #[default]
    Average,
    /// Sum.
    Sum,
}

/// How a track is cut for a model with an input of `length` frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segmentation {
    length: u64,
    stride: u64,
    /// First frame of the track that window `first` contributes to.
    origin: u64,
    first: u64,
    /// Frames by which the first window starts before the origin.
    lead: u64,
    /// The windows of a track cover a multiple of this many frames: whole columns.
    hop: u64,
    blend: Blend,
    shape: WindowShape,
}

/// The weights of the frames of a window, and what a window sees beyond the ends of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowShape {
    /// Weights rise to the middle, or are all the same for a [`Blend::Sum`]; zeros beyond the ends.
    #[default]
    Centred,
    /// Short linear fades at both ends; the mirrored track beyond its ends.
    Mirrored,
    /// A Hann window, without one if windows do not overlap; zeros beyond the ends of the track.
    Hann {
        /// Frames by which the first window begins before the track.
        margin: Frames,
    },
}

impl WindowShape {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            WindowShape::Centred => "centred",
            WindowShape::Mirrored => "mirrored",
            WindowShape::Hann { .. } => "hann",
        }
    }
}

/// One window: the model's input, and the part of its output that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number of the window in the track, from 0.
    pub index: u64,
    /// Frames of the track that the output contributes to.
    pub span: Range<u64>,
    /// Frames of the track in the model's input; contains `span`.
    pub shown: Range<u64>,
    /// Zeros in front of `shown`; zeros behind it fill up the model's length.
    pub zeros_before: usize,
    /// Frames of the model's output in front of `span`.
    pub trim_before: usize,
    /// How the track continues in the input, if it continues mirrored.
    pub reflection: Option<Reflection>,
    /// Frames under the weights, if they are fewer than the model's.
    pub weighted: Option<Frames>,
}

impl Segmentation {
    /// Windows of `length` frames that overlap by the fraction `overlap` (0 to below 1), averaged.
    ///
    /// The stride is rounded down as in Demucs, but is at least 1.
    pub fn new(length: Frames, overlap: f64) -> Segmentation {
        let stride = ((1.0 - overlap) * length.0 as f64) as u64;
        let length = length.0.max(1);
        let stride = stride.clamp(1, length);
        let (blend, shape) = (Blend::Average, WindowShape::Centred);
        Segmentation { length, stride, origin: 0, first: 0, lead: 0, hop: 1, blend, shape }
    }

    /// Windows of `length` frames under whole columns of a spectrum, summed. A column covers `size`
    /// frames, the next one starts `hop` frames later, and the first one ends where the track begins.
    pub fn of_spectrum(length: Frames, size: Frames, hop: Frames) -> Segmentation {
        let (length, hop) = (length.0.max(1), hop.0.max(1));
        let stride = (length + hop).saturating_sub(size.0).max(1);
        let (lead, blend, shape) = (size.0, Blend::Sum, WindowShape::Centred);
        Segmentation { length, stride, origin: 0, first: 0, lead, hop, blend, shape }
    }

    /// The same windows, beginning at frame `origin` of the track with number `first`. Their input
    /// includes the track's earlier frames.
    #[must_use]
    pub fn from(self, origin: Frames, first: u64) -> Segmentation {
        Segmentation { origin: origin.0, first, ..self }
    }

    /// Frames of the model's input.
    pub fn length(&self) -> Frames {
        Frames(self.length)
    }

    /// Frames from one window's start to the next one's.
    pub fn stride(&self) -> Frames {
        Frames(self.stride)
    }

    /// How overlapping windows are combined.
    pub fn blend(&self) -> Blend {
        self.blend
    }

    /// Weight of each frame of a window inside the track.
    pub fn weights(&self) -> Vec<f32> {
        match (self.blend, self.shape) {
            (Blend::Average, WindowShape::Centred) => triangle(self.length()),
            (Blend::Average, WindowShape::Mirrored) => mirrored::window(self.length(), [true; 2]),
            (Blend::Average, WindowShape::Hann { .. }) => self.hann_weights(self.length()),
            (Blend::Sum, _) => vec![1.0; self.length().as_len()],
        }
    }

    /// Weight of each frame of the span of `segment`; more may follow.
    pub fn weights_of(&self, segment: &Segment) -> Vec<f32> {
        let mut weights = match (&segment.reflection, self.shape) {
            (Some(reflection), _) => mirrored::window(self.length(), reflection.fades),
            (None, WindowShape::Hann { .. }) => {
                self.hann_weights(segment.weighted.unwrap_or(self.length()))
            }
            (None, _) => return self.weights(),
        };
        weights.split_off(segment.trim_before)
    }

    /// Number of the last window of a track of `total` frames, plus one.
    pub fn count(&self, total: Frames) -> u64 {
        let lead = self.lead_in(total);
        let windows = match total.0.saturating_sub(self.origin) {
            0 => 0,
            frames => (frames.saturating_add(lead).div_ceil(self.hop))
                .saturating_mul(self.hop)
                .div_ceil(self.stride),
        };
        self.first.saturating_add(windows)
    }

    /// First frame that window `index` contributes to; later windows contribute only to later frames.
    pub fn start(&self, index: u64) -> Frames {
        Frames(self.origin.saturating_add(self.since(index).saturating_sub(self.lead)))
    }

    /// A frame from which on no window before `index` contributes.
    pub fn behind(&self, index: u64) -> Frames {
        if index <= self.first {
            return Frames(self.origin);
        }
        // The first window may begin before the origin, or, in a short track, at it.
        Frames(self.origin.saturating_add(self.since(index - 1)).saturating_add(self.length))
    }

    /// Frames from the start of window `first` to that of window `index`.
    fn since(&self, index: u64) -> u64 {
        index.saturating_sub(self.first).saturating_mul(self.stride)
    }

    /// Window `index` of a track of which `decoded` frames are available; `complete` means that there
    /// will be no more. `None` if more frames are needed, or if there is no such window.
    pub fn segment(&self, index: u64, decoded: Frames, complete: bool) -> Option<Segment> {
        match self.shape {
            WindowShape::Centred => {}
            WindowShape::Mirrored => return self.mirrored_segment(index, decoded, complete),
            WindowShape::Hann { .. } => return self.hann_segment(index, decoded, complete),
        }
        let (start, decoded) = (self.start(index).0, decoded.0);
        // The window covers frames before the origin too, but they are final already.
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

/// A window whose input begins `before` frames in front of its span: those of the track where there
/// are any, else zeros.
fn at_left(index: u64, span: Range<u64>, before: u64) -> Segment {
    let shown = span.start.saturating_sub(before)..span.end;
    let zeros_before = (before - (span.start - shown.start)) as usize;
    let trim_before = before as usize;
    Segment { index, span, shown, zeros_before, trim_before, reflection: None, weighted: None }
}

/// A window cut short: it would cover `whole`, but the track ends at `decoded`.
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
        reflection: None,
        weighted: None,
    }
}

impl Segment {
    /// Writes one channel of the model's input. `shown` are the frames of [`Segment::shown`].
    pub fn lay_out(&self, shown: &[f32], input: &mut [f32]) {
        match &self.reflection {
            None => input[self.zeros_before..][..shown.len()].copy_from_slice(shown),
            Some(reflection) => {
                for (sample, at) in input.iter_mut().zip(reflection.start..) {
                    let frame =
                        reflection.source(at).map(|frame| (frame - self.shown.start) as usize);
                    *sample = frame.map_or(0.0, |frame| shown[frame]);
                }
            }
        }
    }
}

/// Weights of a window's frames in the overlap-add: a triangle with its maximum of 1 in the middle.
fn triangle(length: Frames) -> Vec<f32> {
    let half = length.0 / 2;
    let rise = 1..=half;
    let fall = (1..=length.0 - half).rev();
    let peak = (length.0 - half) as f32;
    rise.chain(fall).map(|weight| weight as f32 / peak).collect()
}

pub use mirrored::Reflection;

#[cfg(test)]
mod tests;
