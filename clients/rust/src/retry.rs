//! Whether and when a failed call is repeated.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::error::ClientError;

/// How a client continues after a broken connection, a restart of the server or a full queue.
///
/// Pauses double from `first_pause` up to `longest_pause`, less a random part so that many clients do not return at the same
/// moment. A pause is never shorter than the server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Consecutive failures without progress that are retried; 0 disables retries.
    pub attempts: u32,
    /// The pause after the first failure.
    pub first_pause: Duration,
    /// Limit of a pause that the server has not asked for.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 8,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl Retry {
    /// No call is repeated.
    pub const NEVER: Retry =
        Retry { attempts: 0, first_pause: Duration::ZERO, longest_pause: Duration::ZERO };

    /// The pause after `failures` in a row; `None` if the call must not be repeated.
    pub(crate) fn pause(&self, error: &ClientError, failures: u32) -> Option<Duration> {
        let least = error.retry_after().filter(|_| failures <= self.attempts)?;
        let doubled = self.first_pause.saturating_mul(1 << failures.saturating_sub(1).min(30));
        // The keys of a hasher are random.
        let random = RandomState::new().build_hasher().finish() as f32 / u64::MAX as f32;
        let usual = doubled.min(self.longest_pause).mul_f32(1.0 - random / 4.0);
        Some(usual.max(least))
    }
}

/// Counts the consecutive failures of one operation. A server that has never answered is not called again: its address is
/// probably wrong, and the caller should see that at once.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: u32,
    position: (u64, u64),
    is_answered: bool,
}

impl Failures {
    /// The server has answered.
    pub(crate) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// The pause before the next attempt, after an error at a position: one beyond the last one starts a new count.
    pub(crate) fn pause(
        &mut self,
        retry: &Retry,
        error: &ClientError,
        position: (u64, u64),
    ) -> Option<Duration> {
        self.count = if position > self.position { 1 } else { self.count + 1 };
        self.position = position.max(self.position);
        if !matches!(error, ClientError::Connect { .. }) {
            self.is_answered = true;
        }
        retry.pause(error, self.count).filter(|_| self.is_answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> ClientError {
        tonic::Status::unavailable("gone").into()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_attempts_have_an_end() {
        let retry = Retry::default();
        for (failures, seconds) in [(1, 0.25), (2, 0.5), (4, 2.0), (7, 10.0), (8, 10.0)] {
            let pause = retry.pause(&broken(), failures).unwrap().as_secs_f32();
            assert!(pause > 0.74 * seconds && pause < 1.01 * seconds, "{failures}: {pause}");
        }
        assert_eq!(retry.pause(&broken(), 9), None);
        assert_eq!(Retry::NEVER.pause(&broken(), 1), None);
    }

    #[test]
    fn progress_starts_a_new_count() {
        let (retry, mut failures) =
            (Retry { attempts: 2, ..Retry::default() }, Failures::default());
        let mut pauses = |position| failures.pause(&retry, &broken(), position).is_some();
        assert_eq!([pauses((0, 0)), pauses((0, 0)), pauses((0, 0))], [true, true, false]);
        assert_eq!([pauses((5, 0)), pauses((5, 0)), pauses((5, 1))], [true, true, true]);
    }

    #[test]
    fn a_server_that_never_answered_is_not_called_again() {
        let refused = ClientError::Connect { url: "http://host".into(), problem: "refused".into() };
        let retry = Retry::default();
        assert_eq!(Failures::default().pause(&retry, &refused, (0, 0)), None);
        let mut failures = Failures::default();
        failures.answered();
        assert!(failures.pause(&retry, &refused, (0, 0)).is_some());
    }
}
