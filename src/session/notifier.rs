//! A change counter that threads and tasks can wait for.
//!
//! It carries no state: waiters read the state again after each change. A thread waits with
//! [`Notifier::wait_newer`], an asynchronous task with [`Notifier::poll_newer`], so this module needs no runtime.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Counts changes and wakes waiters.
#[derive(Debug, Default)]
pub struct Notifier {
    waiters: Mutex<Waiters>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiters {
    version: u64,
    wakers: Vec<Waker>,
}

impl Notifier {
    /// Counts a change and wakes all waiters.
    pub fn notify(&self) {
        let wakers = {
            let mut waiters = self.lock();
            waiters.version += 1;
            std::mem::take(&mut waiters.wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The number of changes so far. Read it *before* the state, so that no change in between is missed.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Waits until there have been more changes than `seen`, or until `limit` has passed.
    pub fn wait_newer(&self, seen: u64, limit: Duration) -> u64 {
        let deadline = Instant::now() + limit;
        let mut waiters = self.lock();
        while waiters.version <= seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(waiters, left);
            waiters = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        waiters.version
    }

    /// Ready once there have been more changes than `seen`.
    pub fn poll_newer(&self, context: &mut Context<'_>, seen: u64) -> Poll<u64> {
        let mut waiters = self.lock();
        if waiters.version > seen {
            return Poll::Ready(waiters.version);
        }
        if !waiters.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            waiters.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_waiting_thread_sees_the_change() {
        let notifier = Arc::new(Notifier::default());
        let seen = notifier.version();
        let waiter = std::thread::spawn({
            let notifier = Arc::clone(&notifier);
            move || notifier.wait_newer(seen, Duration::from_secs(60))
        });
        notifier.notify();
        assert_eq!(waiter.join().unwrap(), seen + 1);
    }

    #[test]
    fn a_change_before_waiting_is_not_missed() {
        let notifier = Notifier::default();
        let seen = notifier.version();
        notifier.notify();
        assert_eq!(notifier.wait_newer(seen, Duration::ZERO), seen + 1);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(notifier.poll_newer(&mut context, seen), Poll::Ready(seen + 1));
        assert_eq!(notifier.poll_newer(&mut context, seen + 1), Poll::Pending);
    }

    #[test]
    fn waiting_ends_at_its_limit() {
        let notifier = Notifier::default();
        assert_eq!(notifier.wait_newer(0, Duration::from_millis(5)), 0);
    }
}
