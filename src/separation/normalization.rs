//! Normalizes the input of a model, and rescales its output.
//!
//! The reference (demucs/api.py) takes the mean and the deviation of the whole track's mono mix,
//! feeds the model `(mix - mean) / deviation` and scales each stem back as `output * deviation + mean`.
//! [`Level::Exact`] does the same.
//!
//! [`Level::Streaming`] does not need the whole track. HTDemucs normalizes every segment itself, so the deviation matters
//! only through the epsilon of 1e-5 that it adds; a constant gain keeps that negligible at any level. The mean matters
//! more: a DC offset reaches the lowest bin of the model's spectrum. The mean of the track up to the end of a segment
//! replaces that of the whole track: it is known when the segment is computed, and converges. A segment is padded only at
//! the end of the track, where it is the true mean, so that the padding equals the reference's zeros.

use crate::audio::Stereo;
use crate::dsp::Segment;
use crate::separation::track_file::Statistics;

/// Gain of the model's input. A power of two, which is undone without rounding.
const STREAMING_GAIN: f32 = 512.0;

/// Added to the deviation by the reference, against division by zero.
const REFERENCE_EPSILON: f64 = 1e-8;

/// A linear map from the track to the model's input, and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Level {
    /// No change, for models that were trained without normalization.
    Unchanged,
    /// Known once the head of the track is decoded.
    Streaming {
        /// Mean of the track so far.
        offset: f32,
    },
    /// Known when the track is complete.
    Exact {
        /// Mean of the track.
        mean: f32,
        /// Standard deviation of the track.
        deviation: f32,
    },
}

impl Level {
    /// The level for a segment of a model with segments of `length` frames, from the track up to its end.
    pub(super) fn streaming(statistics: &Statistics, segment: &Segment, length: usize) -> Level {
        let shown = segment.zeros_before + (segment.shown.end - segment.shown.start) as usize;
        let mean = match shown < length {
            true => statistics.mean(),
            false => statistics.mean_until(segment.shown.end),
        };
        Level::Streaming { offset: mean as f32 }
    }

    /// The level from the complete track.
    pub(super) fn exact(statistics: &Statistics) -> Level {
        Level::Exact {
            mean: statistics.mean() as f32,
            deviation: (statistics.deviation() + REFERENCE_EPSILON) as f32,
        }
    }

    /// The model's input for `segment`, of `length` frames; `shown` are the frames of the track in it.
    pub(super) fn input(&self, segment: &Segment, mut shown: Stereo, length: usize) -> Stereo {
        for sample in shown.planes_mut().into_iter().flatten() {
            *sample = self.apply(*sample);
        }
        let mut input = Stereo::zeros(length);
        for (plane, shown) in input.planes_mut().into_iter().zip(shown.planes()) {
            plane[segment.zeros_before..][..shown.len()].copy_from_slice(shown);
        }
        input
    }

    /// The frames of the segment's span in a stem of the output, at the level of the track. The stem gets `share` of the
    /// offset that was removed: all of it in the reference, less for models whose stems sum to the mixture.
    pub(super) fn output(&self, segment: &Segment, mut output: Stereo, share: f32) -> Stereo {
        let span = (segment.span.end - segment.span.start) as usize;
        output.take_front(segment.trim_before);
        output.resize(span.min(output.len()));
        for sample in output.planes_mut().into_iter().flatten() {
            *sample = self.undo(*sample, share);
        }
        output
    }

    fn apply(&self, sample: f32) -> f32 {
        match *self {
            Level::Unchanged => sample,
            Level::Streaming { offset } => (sample - offset) * STREAMING_GAIN,
            Level::Exact { mean, deviation } => (sample - mean) / deviation,
        }
    }

    fn undo(&self, sample: f32, share: f32) -> f32 {
        match *self {
            Level::Unchanged => sample,
            Level::Streaming { offset } => sample / STREAMING_GAIN + share * offset,
            Level::Exact { mean, deviation } => sample * deviation + share * mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Frames;

    fn level(frames: &[f32], segment: &Segment) -> Level {
        let mut statistics = Statistics::new(Frames(2));
        frames.iter().for_each(|&sample| statistics.add(sample, sample));
        Level::streaming(&statistics, segment, 4)
    }

    #[test]
    fn padding_follows_the_segment_and_equals_the_mean() {
        let segment =
            Segment { index: 0, span: 0..2, shown: 0..2, zeros_before: 1, trim_before: 1 };
        let shown = Stereo::from_planes(vec![0.5, 1.5], vec![0.5, 0.5]).unwrap();
        let exact = Level::Exact { mean: 0.5, deviation: 2.0 };
        let input = exact.input(&segment, shown.clone(), 4);
        assert_eq!(input.left(), [0.0, 0.0, 0.5, 0.0]);
        let streaming = Level::Streaming { offset: 0.25 };
        let input = streaming.input(&segment, shown.clone(), 4);
        assert_eq!(input.left(), [0.0, 128.0, 640.0, 0.0]);
        let input = Level::Unchanged.input(&segment, shown.clone(), 4);
        assert_eq!(input.left(), [0.0, 0.5, 1.5, 0.0]);
        for level in [exact, streaming, Level::Unchanged] {
            let input = level.input(&segment, shown.clone(), 4);
            assert_eq!(level.output(&segment, input, 1.0), shown);
        }
    }

    #[test]
    fn the_offset_is_the_mean_up_to_the_segments_end_however_much_is_decoded() {
        let inside = |start| Segment {
            index: 0,
            span: start..start + 4,
            shown: start..start + 4,
            zeros_before: 0,
            trim_before: 0,
        };
        let track = [1.0, 1.0, 3.0, 3.0, 7.0, 9.0, 100.0, 100.0];
        for decoded in 6..8 {
            assert_eq!(level(&track[..decoded], &inside(0)), Level::Streaming { offset: 2.0 });
            assert_eq!(level(&track[..decoded], &inside(2)), Level::Streaming { offset: 4.0 });
        }
        let last = Segment { shown: 3..6, ..inside(3) };
        assert_eq!(level(&track[..6], &last), Level::Streaming { offset: 4.0 });
    }
}
