//! Decides which ended sessions are removed.

use std::time::Duration;

use super::SessionId;
use super::manifest::Timestamp;

/// How long ended sessions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended sessions older than this are removed.
    pub age: Duration,
    /// While all sessions together occupy more than this, ended ones are removed, the oldest first.
    pub bytes: u64,
}

/// What the decision depends on, per session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionCandidate {
    /// The session.
    pub id: SessionId,
    /// When it last changed.
    pub updated: Timestamp,
    /// Bytes that its files occupy.
    pub bytes: u64,
    /// Whether it has ended and has no readers.
    pub removable: bool,
}

/// The sessions to remove at the time `now`.
pub fn expired(
    mut sessions: Vec<RetentionCandidate>,
    policy: Retention,
    now: Timestamp,
) -> Vec<SessionId> {
    sessions.sort_by_key(|session| (session.updated, session.id));
    let mut held: u64 = sessions.iter().map(|session| session.bytes).sum();
    let age = u64::try_from(policy.age.as_millis()).unwrap_or(u64::MAX);
    let mut removed = Vec::new();
    for session in sessions.into_iter().filter(|session| session.removable) {
        if now.0.saturating_sub(session.updated.0) > age || held > policy.bytes {
            held -= session.bytes;
            removed.push(session.id);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Retention = Retention { age: Duration::from_secs(100), bytes: 1_000 };

    /// Sessions as (age in seconds, bytes, removable) -> those that are removed.
    #[track_caller]
    fn check(sessions: &[(u64, u64, bool)], expected: &[usize]) {
        let now = Timestamp(1_000_000);
        let candidates: Vec<_> = sessions
            .iter()
            .map(|&(age, bytes, removable)| RetentionCandidate {
                id: SessionId::random(),
                updated: Timestamp(now.0 - age * 1000),
                bytes,
                removable,
            })
            .collect();
        let removed = expired(candidates.clone(), POLICY, now);
        let expected: Vec<_> = expected.iter().map(|&index| candidates[index].id).collect();
        assert_eq!(removed, expected);
    }

    #[test]
    fn old_sessions_are_removed_then_the_oldest_until_the_others_fit() {
        check(&[(10, 100, true), (200, 100, true)], &[1]);
        check(&[(100, 0, true)], &[]);
        check(&[(10, 600, true), (20, 600, true)], &[1]);
        check(&[(10, 600, true), (20, 300, true), (30, 300, true)], &[2]);
        check(&[(10, 2_000, true), (20, 10, true)], &[1, 0]);
        check(&[], &[]);
    }

    #[test]
    fn sessions_in_use_are_kept() {
        check(&[(500, 5_000, false)], &[]);
        check(&[(20, 800, false), (10, 800, true)], &[1]);
    }
}
