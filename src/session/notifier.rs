//! "Something has changed": one counter that threads and tasks can wait for.
//!
//! Waiters look at the state themselves; the signal only says that it is worth looking again. A thread
//! waits with [`Signal::wait_newer`], an asynchronous task with [`Signal::poll_newer`], so that the
//! rooms below the server need no runtime.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Counts changes and wakes who waits for one.
#[derive(Debug, Default)]
pub struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    wakers: Vec<Waker>,
}

impl Signal {
    /// Says that something has changed.
    pub fn notify(&self) {
        let wakers = {
            let mut state = self.lock();
            state.version += 1;
            std::mem::take(&mut state.wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The count of changes so far. Take it *before* looking at the state, so that no change between
    /// looking and waiting is missed.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Waits until there have been more changes than `seen`, or until `limit` has passed.
    pub fn wait_newer(&self, seen: u64, limit: Duration) -> u64 {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while state.version <= seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.version
    }

    /// Ready once there have been more changes than `seen`.
    pub fn poll_newer(&self, context: &mut Context<'_>, seen: u64) -> Poll<u64> {
        let mut state = self.lock();
        if state.version > seen {
            return Poll::Ready(state.version);
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_waiting_thread_sees_the_change() {
        let signal = Arc::new(Signal::default());
        let seen = signal.version();
        let waiter = std::thread::spawn({
            let signal = Arc::clone(&signal);
            move || signal.wait_newer(seen, Duration::from_secs(60))
        });
        signal.notify();
        assert_eq!(waiter.join().unwrap(), seen + 1);
    }

    #[test]
    fn a_change_before_waiting_is_not_missed() {
        let signal = Signal::default();
        let seen = signal.version();
        signal.notify();
        assert_eq!(signal.wait_newer(seen, Duration::ZERO), seen + 1);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(signal.poll_newer(&mut context, seen), Poll::Ready(seen + 1));
        assert_eq!(signal.poll_newer(&mut context, seen + 1), Poll::Pending);
    }

    #[test]
    fn waiting_ends_at_its_limit() {
        let signal = Signal::default();
        assert_eq!(signal.wait_newer(0, Duration::from_millis(5)), 0);
    }
}
