//! When delayed sessions are retried.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proto::reason::ErrorReason;
use crate::session::{Failure, Session, SessionId};

/// The time to the first retry. It doubles with each further delay, as long as nothing is committed in between.
const FIRST: Duration = Duration::from_secs(1);

/// The longest time to a retry.
const LONGEST: Duration = Duration::from_secs(60);

/// The same where the disk is full: a retry then costs next to nothing as long as it stays full.
const LONGEST_OF_DISK: Duration = Duration::from_secs(8);

/// The delays of sessions since their last commit.
#[derive(Debug, Default)]
pub(super) struct Delays {
    by_session: HashMap<SessionId, Delay>,
}

#[derive(Debug)]
struct Delay {
    /// Segments that were committed when it began.
    segments: u64,
    /// Delays since that commit.
    count: u32,
    due: Instant,
}

impl Delays {
    /// A session is delayed from now on.
    pub(super) fn begin(&mut self, session: &Arc<Session>, reason: &Failure) {
        self.begin_at(session.id(), session.manifest().commit.segments, reason, Instant::now());
    }

    fn begin_at(&mut self, id: SessionId, segments: u64, reason: &Failure, now: Instant) {
        let new = Delay { segments, count: 0, due: now };
        let delay = self.by_session.entry(id).or_insert(new);
        if delay.segments != segments {
            (delay.segments, delay.count) = (segments, 0);
        }
        let longest = match reason.reason {
            ErrorReason::DiskFull | ErrorReason::StorageFull => LONGEST_OF_DISK,
            // It is retried only once there is one.
            ErrorReason::NoWorker => FIRST,
            _ => LONGEST,
        };
        delay.due = now + time_of(delay.count, longest);
        delay.count += 1;
    }

    /// Lengthens a delay that has begun to that of a session with `count` delays, such as those of earlier processes.
    pub(super) fn lengthen(&mut self, id: SessionId, count: u32) {
        if let Some(delay) = self.by_session.get_mut(&id) {
            delay.due += time_of(count.saturating_sub(1), LONGEST) - FIRST;
            delay.count = count;
        }
    }

    /// Whether a delayed session is to be retried now. Those of the previous process are.
    pub(super) fn is_due(&self, id: SessionId) -> bool {
        self.is_due_at(id, Instant::now())
    }

    fn is_due_at(&self, id: SessionId, now: Instant) -> bool {
        self.by_session.get(&id).is_none_or(|delay| delay.due <= now)
    }

    /// The session has ended.
    pub(super) fn end(&mut self, id: SessionId) {
        self.by_session.remove(&id);
    }
}

/// The time to the retry after so many delays before.
fn time_of(delays: u32, longest: Duration) -> Duration {
    FIRST.saturating_mul(1 << delays.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds to each retry of a session that is delayed for `reason`, with these segments committed.
    fn times(reason: ErrorReason, segments: &[u64]) -> Vec<u64> {
        let (id, now) = (SessionId::random(), Instant::now());
        let reason = Failure::new(reason, "cause");
        let mut delays = Delays::default();
        assert!(delays.is_due_at(id, now));
        let time = |&segments: &u64| {
            delays.begin_at(id, segments, &reason, now);
            let due = |&second: &u64| delays.is_due_at(id, now + Duration::from_secs(second));
            (0..100).find(due).unwrap()
        };
        segments.iter().map(time).collect()
    }

    #[test]
    fn each_delay_without_a_commit_is_longer_than_the_one_before() {
        let limit = ErrorReason::SystemLimit;
        assert_eq!(times(limit, &[0; 9]), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(times(limit, &[0, 0, 0, 1, 1, 2]), [1, 2, 4, 1, 2, 1]);
        assert_eq!(times(ErrorReason::DiskFull, &[0; 5]), [1, 2, 4, 8, 8]);
        assert_eq!(times(ErrorReason::NoWorker, &[0; 3]), [1, 1, 1]);
    }

    #[test]
    fn the_delays_of_earlier_processes_count() {
        let (id, now) = (SessionId::random(), Instant::now());
        let reason = Failure::new(ErrorReason::CrashedTooOften, "cause");
        for (count, seconds) in [(1, 1), (3, 4), (99, 60)] {
            let mut delays = Delays::default();
            delays.begin_at(id, 0, &reason, now);
            delays.lengthen(id, count);
            let at = |seconds| delays.is_due_at(id, now + Duration::from_secs(seconds));
            assert!(!at(seconds - 1) && at(seconds), "{count}");
        }
    }
}
