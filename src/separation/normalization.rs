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
//!
//! SCNet normalizes nothing itself, so its output depends on the deviation. In streaming, mean and deviation of the first
//! segment are frozen ([`frozen`]).
//!
//! MDX-Nets see the track as it is. The reference scales a track above [`PEAK_LIMIT`] down to it first; so does
//! [`Level::limited`], which needs the whole track, and scales the stems back.

use crate::audio::Stereo;
use crate::dsp::Segment;
use crate::engine::InputLevel;
use crate::separation::track_file::Statistics;
use crate::session::manifest::TrackLevel;

/// Gain of the model's input. A power of two, which is undone without rounding.
const STREAMING_GAIN: f32 = 512.0;

/// Added to the deviation by HTDemucs' reference, against division by zero; SCNet's makes NaN of silence.
const REFERENCE_EPSILON: f64 = 1e-8;

/// Peak above which audio-separator scales a track down (`normalization_threshold`).
const PEAK_LIMIT: f32 = 0.9;

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
    /// Known when the track is complete, or frozen.
    Exact {
        /// Mean of the track.
        mean: f32,
        /// Standard deviation of the track.
        deviation: f32,
    },
}

/// Least deviation that is frozen: -60 dB. What is quieter is hardly music yet.
const LEAST_DEVIATION: f64 = 1e-3;

/// The level that a model that needs the deviation keeps in streaming, if it is known from the track up to frame `end`: that of
/// the head, or of as much of the track as it takes until it is loud enough. Of a track without that much, that of all.
pub(super) fn frozen(statistics: &Statistics, end: u64, complete: bool) -> Option<TrackLevel> {
    let loud = |level: &TrackLevel| level.deviation >= LEAST_DEVIATION;
    let found = statistics.levels_until(end).find(loud);
    found.or_else(|| (complete && statistics.is_short()).then(|| statistics.level()))
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

    /// The level that limits the peak of the complete track.
    pub(super) fn limited(statistics: &Statistics) -> Level {
        match statistics.peak() {
            peak if peak > PEAK_LIMIT => Level::Exact { mean: 0.0, deviation: peak / PEAK_LIMIT },
            _ => Level::Unchanged,
        }
    }

    /// The level for a model that needs the deviation, in streaming: the frozen one, else that of the track so far, up to
    /// frame `end`.
    pub(super) fn of_start(frozen: Option<TrackLevel>, statistics: &Statistics, end: u64) -> Level {
        let so_far = || statistics.levels_until(end).last();
        Level::of(frozen.or_else(so_far).unwrap_or_else(|| statistics.level()))
    }

    /// That level.
    pub(super) fn of(level: TrackLevel) -> Level {
        let TrackLevel { mean, deviation, .. } = level;
        Level::Exact { mean: mean as f32, deviation: (deviation + REFERENCE_EPSILON) as f32 }
    }

    /// The level as one for a member of an ensemble.
    pub(super) fn linear(self) -> InputLevel {
        match self {
            Level::Unchanged => InputLevel::UNCHANGED,
            Level::Streaming { offset } => {
                InputLevel { mean: offset, deviation: 1.0 / STREAMING_GAIN }
            }
            Level::Exact { mean, deviation } => InputLevel { mean, deviation },
        }
    }

    /// The model's input for `segment`, of `length` frames; `shown` are the frames of the track in it.
    pub(super) fn input(&self, segment: &Segment, mut shown: Stereo, length: usize) -> Stereo {
        for sample in shown.planes_mut().into_iter().flatten() {
            *sample = self.apply(*sample);
        }
        let mut input = Stereo::zeros(length);
        for (plane, shown) in input.planes_mut().into_iter().zip(shown.planes()) {
            segment.lay_out(shown, plane);
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
        let segment = Segment {
            index: 0,
            span: 0..2,
            shown: 0..2,
            zeros_before: 1,
            trim_before: 1,
            reflection: None,
            weighted: None,
        };
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
            reflection: None,
            weighted: None,
        };
        let track = [1.0, 1.0, 3.0, 3.0, 7.0, 9.0, 100.0, 100.0];
        for decoded in 6..8 {
            assert_eq!(level(&track[..decoded], &inside(0)), Level::Streaming { offset: 2.0 });
            assert_eq!(level(&track[..decoded], &inside(2)), Level::Streaming { offset: 4.0 });
        }
        let last = Segment { shown: 3..6, ..inside(3) };
        assert_eq!(level(&track[..6], &last), Level::Streaming { offset: 4.0 });
    }

    #[test]
    fn a_loud_track_is_scaled_to_the_limit_and_its_stems_back() {
        let mut statistics = Statistics::new(Frames(2));
        statistics.add(0.25, -0.5);
        assert_eq!(Level::limited(&statistics), Level::Unchanged);
        statistics.add(0.1, -1.8);
        let level = Level::limited(&statistics);
        assert!((level.apply(-1.8) + 0.9).abs() < 1e-6);
        assert!((level.undo(level.apply(0.5), 1.0) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_level_is_frozen_where_the_track_is_loud_enough() {
        let mut statistics = Statistics::new(Frames(4));
        let mut grow = |samples: &[f32]| {
            samples.iter().for_each(|&sample| statistics.add(sample, sample));
            statistics.clone()
        };
        let quiet = grow(&[0.0, 1e-4, 0.0, -1e-4, 0.0]);
        assert_eq!(frozen(&quiet, 4, false), None);
        let so_far = Level::of_start(None, &quiet, 4);
        assert_eq!(frozen(&grow(&[0.5, -0.5, 0.5]), 4, true), None);
        let loud = grow(&[9.0, 9.0]);
        let level = frozen(&loud, 8, false).unwrap();
        assert_eq!((level.frames, level.mean), (Frames(6), 0.5 / 6.0));
        assert_eq!(frozen(&loud, 9, true), Some(level));
        // A provisional level, too, depends on the track up to the segment's end alone.
        assert_eq!(Level::of_start(None, &loud, 4), so_far);
        assert_eq!(Level::of_start(None, &loud, 0), so_far);
    }

    #[test]
    fn the_level_of_a_track_shorter_than_the_head_is_that_of_all() {
        let mut statistics = Statistics::new(Frames(4));
        statistics.add(1.0, 1.0);
        statistics.add(0.0, 0.0);
        assert_eq!(frozen(&statistics, 2, false), None);
        assert_eq!(frozen(&statistics, 2, true), Some(statistics.level()));
    }
}
