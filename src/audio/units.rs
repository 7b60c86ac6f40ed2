//! Units as types, so that counts of frames, sample rates and byte counts are not confused.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A sample rate in frames per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hertz(pub u32);

impl Hertz {
    /// Lowest supported rate: telephone speech.
    pub const LOWEST: Hertz = Hertz(8_000);
    /// Highest supported rate: four times that of DAT.
    pub const HIGHEST: Hertz = Hertz(192_000);

    /// Whether audio at this rate is supported.
    pub fn is_supported(self) -> bool {
        (Self::LOWEST..=Self::HIGHEST).contains(&self)
    }
}

impl fmt::Display for Hertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A position or a length in frames. A frame is one sample per channel.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Frames(pub u64);

impl Frames {
    /// Length 0, or the start of a track.
    pub const ZERO: Frames = Frames(0);

    /// From a length in memory.
    pub fn from_len(len: usize) -> Frames {
        Frames(len as u64)
    }

    /// As a length in memory. Saturates, so that an impossible length fails at the allocation instead
    /// of wrapping silently.
    pub fn as_len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Duration of this many frames at `rate`.
    pub fn duration(self, rate: Hertz) -> Duration {
        Duration::from_secs_f64(self.0 as f64 / f64::from(rate.0.max(1)))
    }

    /// Frames in `duration` at `rate`, rounded up.
    pub fn covering(duration: Duration, rate: Hertz) -> Frames {
        Frames((duration.as_secs_f64() * f64::from(rate.0)).ceil() as u64)
    }

    /// Length after resampling from rate `from` to rate `to`, rounded up so that the last frame is
    /// covered. Saturates; exact for any length that fits a file.
    pub fn resampled(self, from: Hertz, to: Hertz) -> Frames {
        let frames = (u128::from(self.0) * u128::from(to.0)).div_ceil(u128::from(from.0.max(1)));
        Frames(u64::try_from(frames).unwrap_or(u64::MAX))
    }

    /// `self - other`, or zero if `other` is larger.
    pub fn saturating_sub(self, other: Frames) -> Frames {
        Frames(self.0.saturating_sub(other.0))
    }
}

impl Add for Frames {
    type Output = Frames;
    fn add(self, other: Frames) -> Frames {
        Frames(self.0 + other.0)
    }
}

impl AddAssign for Frames {
    fn add_assign(&mut self, other: Frames) {
        self.0 += other.0;
    }
}

impl Sub for Frames {
    type Output = Frames;
    fn sub(self, other: Frames) -> Frames {
        Frames(self.0 - other.0)
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_resampled(frames: u64, from: u32, to: u32, expected: u64) {
        assert_eq!(Frames(frames).resampled(Hertz(from), Hertz(to)), Frames(expected));
    }

    #[test]
    fn a_resampled_length_covers_the_last_frame() {
        check_resampled(0, 48_000, 44_100, 0);
        check_resampled(48_000, 48_000, 44_100, 44_100);
        check_resampled(48_001, 48_000, 44_100, 44_101);
        check_resampled(1, 192_000, 8_000, 1);
        check_resampled(u64::MAX / 4, 8_000, 192_000, u64::MAX);
    }

    #[test]
    fn resampling_there_and_back_loses_no_frame() {
        for frames in [0, 1, 146, 147, 148, 44_099, 1_000_003] {
            let there = Frames(frames).resampled(Hertz(48_000), Hertz(44_100));
            assert!(there.resampled(Hertz(44_100), Hertz(48_000)) >= Frames(frames));
        }
    }
}
