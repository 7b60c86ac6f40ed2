//! Stalls: a child has work and makes no progress.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Measures for how long a child has had work and made no progress.
pub(crate) struct StallTimer {
    /// When the child got work or made progress; `None` while it has no work.
    busy_since: Mutex<Option<Instant>>,
}

impl StallTimer {
    /// A timer that runs from now on.
    pub(crate) fn start() -> StallTimer {
        StallTimer { busy_since: Mutex::new(Some(Instant::now())) }
    }

    /// Measures from now on: the child has got work or made progress.
    pub(crate) fn restart(&self) {
        *self.busy_since() = Some(Instant::now());
    }

    /// Measures from now on if the child has work.
    pub(crate) fn postpone(&self) {
        let mut busy_since = self.busy_since();
        *busy_since = busy_since.map(|_| Instant::now());
    }

    /// Whether the child has no work.
    pub(crate) fn is_stopped(&self) -> bool {
        self.busy_since().is_none()
    }

    /// Stops the timer if `is_idle`, which is evaluated in one step with it: a [`restart`](StallTimer::restart) that
    /// follows a change of what `is_idle` reads is never lost.
    pub(crate) fn stop_if(&self, is_idle: impl FnOnce() -> bool) {
        let mut busy_since = self.busy_since();
        if is_idle() {
            *busy_since = None;
        }
    }

    /// Whether the child has made no progress for longer than `limit`.
    pub(crate) fn exceeds(&self, limit: Duration) -> bool {
        self.busy_since().is_some_and(|since| since.elapsed() > limit)
    }

    fn busy_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_with_work_stalls() {
        let timer = StallTimer::start();
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.exceeds(Duration::ZERO) && !timer.exceeds(Duration::from_secs(600)));
        timer.stop_if(|| false);
        assert!(timer.exceeds(Duration::ZERO));
        timer.postpone();
        assert!(!timer.is_stopped() && !timer.exceeds(Duration::from_secs(600)));
        timer.stop_if(|| true);
        timer.postpone();
        assert!(timer.is_stopped() && !timer.exceeds(Duration::ZERO));
    }
}
