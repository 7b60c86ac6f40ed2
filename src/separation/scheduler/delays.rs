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
            _ => LONGEST,
        };
        delay.due = now + FIRST.saturating_mul(1 << delay.count.min(16)).min(longest);
        delay.count += 1;
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
    }
}
