//! The least rate at which a client sends a request's body.

use std::time::Duration;

/// A least rate. What the server itself delays does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeastRate {
    /// Bytes per second on average over the window; 0 for no limit.
    pub(super) bytes_per_s: u64,
    /// Time of waiting for the client over which the rate is averaged.
    pub(super) window: Duration,
}

/// How fast a client sends.
#[derive(Debug)]
pub(crate) struct Pace {
    least: LeastRate,
    waited: Duration,
    received: u64,
}

/// The client has sent less than the least rate over a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Pace {
    /// A client that begins to send.
    pub(crate) fn new(least: LeastRate) -> Pace {
        Pace { least, waited: Duration::ZERO, received: 0 }
    }

    /// Time until the end of the window.
    pub(crate) fn left(&self) -> Duration {
        self.least.window.saturating_sub(self.waited)
    }

    /// Notes that the client was waited for, and what it has sent meanwhile. The next window starts when one has passed.
    ///
    /// # Errors
    /// [`TooSlow`].
    pub(crate) fn note(&mut self, waited: Duration, received: usize) -> Result<(), TooSlow> {
        self.waited += waited;
        self.received += received as u64;
        if self.waited < self.least.window {
            return Ok(());
        }
        let least = self.least.window.as_secs_f64() * self.least.bytes_per_s as f64;
        if (self.received as f64) < least {
            return Err(TooSlow);
        }
        *self = Pace::new(self.least);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes_per_s: u64, pieces: &[(u64, usize)], is_slow: bool) {
        let least = LeastRate { bytes_per_s, window: Duration::from_secs(10) };
        let mut pace = Pace::new(least);
        let mut notes = pieces.iter().map(|&(s, bytes)| pace.note(Duration::from_secs(s), bytes));
        assert_eq!(notes.any(|note| note == Err(TooSlow)), is_slow, "{pieces:?}");
    }

    #[test]
    fn the_rate_is_averaged_over_the_window() {
        check(100, &[(9, 1), (0, 5)], false);
        check(100, &[(9, 1), (1, 5)], true);
        check(100, &[(9, 1), (1, 999)], false);
        check(100, &[(10, 5000), (10, 999)], true);
        check(100, &[(10, 5000), (9, 1)], false);
        check(0, &[(100, 0), (100, 0)], false);
    }
}
