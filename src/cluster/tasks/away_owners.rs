//! Owners that a worker cannot reach now.
//!
//! While an owner is away, its tasks go back to the queue at once, so that they keep the worker from no others. One of them from time
//! to time shows whether it is back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time from one attempt to reach an owner to the next.
const RETRY: Duration = Duration::from_secs(5);

/// Time after which an owner is forgotten: its machine is gone for good.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The owners, and when each is to be tried again.
#[derive(Debug, Default)]
pub(super) struct AwayOwners(Mutex<HashMap<String, Instant>>);

/// Whether a task of an owner is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerAccess {
    /// The owner answers, as far as is known.
    Open,
    /// It was away, and this task shows whether it still is.
    Probe,
    /// It is away, and is tried again after this time.
    Away(Duration),
}

impl AwayOwners {
    /// Whether a task of this owner is to be taken now.
    pub(super) fn access(&self, owner: &str) -> OwnerAccess {
        self.access_at(owner, Instant::now())
    }

    fn access_at(&self, owner: &str, now: Instant) -> OwnerAccess {
        match self.lock().get_mut(owner) {
            None => OwnerAccess::Open,
            Some(next) if *next > now => OwnerAccess::Away(*next - now),
            Some(next) => {
                // Until this attempt has ended, others wait.
                *next = now + RETRY;
                OwnerAccess::Probe
            }
        }
    }

    /// The owner has answered.
    pub(super) fn reached(&self, owner: &str) {
        self.lock().remove(owner);
    }

    /// The owner has not answered.
    pub(super) fn missed(&self, owner: &str) {
        self.missed_at(owner, Instant::now());
    }

    fn missed_at(&self, owner: &str, now: Instant) {
        let mut owners = self.lock();
        owners.retain(|_, next| now.saturating_duration_since(*next) < FORGOTTEN);
        owners.insert(owner.to_owned(), now + RETRY);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_is_away_is_tried_by_one_task_at_a_time_and_is_open_once_it_answers() {
        let owners = AwayOwners::default();
        let begin = Instant::now();
        let at = |seconds| owners.access_at("one", begin + Duration::from_secs(seconds));
        assert_eq!(at(0), OwnerAccess::Open);
        owners.missed_at("one", begin);
        assert_eq!(at(2), OwnerAccess::Away(Duration::from_secs(3)));
        assert_eq!(owners.access_at("other", begin), OwnerAccess::Open);
        assert_eq!(at(5), OwnerAccess::Probe);
        assert_eq!(at(6), OwnerAccess::Away(Duration::from_secs(4)));
        owners.reached("one");
        assert_eq!(at(6), OwnerAccess::Open);
    }

    #[test]
    fn an_owner_that_is_gone_for_good_is_forgotten() {
        let owners = AwayOwners::default();
        let begin = Instant::now();
        owners.missed_at("one", begin);
        owners.missed_at("other", begin + RETRY + FORGOTTEN);
        assert_eq!(owners.access_at("one", begin), OwnerAccess::Open);
    }
}
