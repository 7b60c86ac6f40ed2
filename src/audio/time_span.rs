//! A part of a song, by time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{Frames, Hertz};

/// A part of a song, by time from its first frame. By default all of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpan {
    /// Where it begins.
    pub start: Duration,
    /// Where it ends; `None` at the end of the song.
    pub end: Option<Duration>,
}

/// The latest time that a part can have: a thousand hours, more than any song.
const LATEST: Duration = Duration::from_secs(3_600_000);

/// The times are those of no part.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidTimeSpan {
    /// A time is not one that a song can have.
    #[error("{0} is not a time from 0 to {latest} s", latest = LATEST.as_secs())]
    Time(f64),
    /// It ends before it begins, or there.
    #[error("the part ends at {end} s, and begins at {start} s")]
    Empty {
        /// Where it begins, in seconds.
        start: f64,
        /// Where it ends, in seconds.
        end: f64,
    },
}

impl TimeSpan {
    /// From seconds.
    ///
    /// # Errors
    /// [`InvalidTimeSpan`].
    pub fn from_seconds(start: f64, end: Option<f64>) -> Result<TimeSpan, InvalidTimeSpan> {
        let time = |seconds: f64| {
            let time = Duration::try_from_secs_f64(seconds).ok();
            time.filter(|&time| time <= LATEST).ok_or(InvalidTimeSpan::Time(seconds))
        };
        let span = TimeSpan { start: time(start)?, end: end.map(time).transpose()? };
        match (span.end, end) {
            (Some(until), Some(end)) if until <= span.start => {
                Err(InvalidTimeSpan::Empty { start, end })
            }
            _ => Ok(span),
        }
    }

    /// Whether it is all of the song.
    pub fn is_whole(&self) -> bool {
        *self == TimeSpan::default()
    }

    /// Where it begins and its length, in frames of this rate; a time between two frames is that of the nearer one.
    pub fn frames(&self, rate: Hertz) -> (Frames, Option<Frames>) {
        let nearest = |time: Duration| {
            let frames = (time.as_nanos() * u128::from(rate.0) + 500_000_000) / 1_000_000_000;
            Frames(u64::try_from(frames).unwrap_or(u64::MAX))
        };
        let start = nearest(self.start);
        (start, self.end.map(|end| nearest(end).saturating_sub(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_the_nearest_frames() {
        let frames = |start, end| TimeSpan::from_seconds(start, end).unwrap().frames(Hertz(44_100));
        assert_eq!(frames(0.0, None), (Frames::ZERO, None));
        assert_eq!(frames(0.1, Some(1.5)), (Frames(4_410), Some(Frames(61_740))));
        assert_eq!(frames(1.0 / 44_100.0, None), (Frames(1), None));
        assert!(TimeSpan::from_seconds(0.0, None).unwrap().is_whole());
    }

    #[test]
    fn impossible_parts_are_refused() {
        for (start, end) in
            [(-1.0, None), (f64::NAN, None), (1e9, None), (0.0, Some(f64::INFINITY))]
        {
            assert!(matches!(TimeSpan::from_seconds(start, end), Err(InvalidTimeSpan::Time(_))));
        }
        for (start, end) in [(1.0, 1.0), (2.0, 1.0), (0.0, 0.0)] {
            let refused = TimeSpan::from_seconds(start, Some(end));
            assert_eq!(refused, Err(InvalidTimeSpan::Empty { start, end }));
        }
    }
}
