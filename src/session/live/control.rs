//! The lifecycle state of a session, the call that holds it, and stop requests.

use std::time::{Duration, Instant};

use super::{Session, lock};
use crate::session::Failure;
use crate::session::lifecycle::State;

/// The state of a session that is not in its files.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) state: State,
    /// The failure with which its upload was refused.
    pub(super) refusal: Option<Failure>,
    /// Whether the server stops.
    pub(super) shut_down: bool,
    /// The number of the last call that took the session, which holds it.
    pub(super) call: u64,
    /// Whether that call has broken off.
    pub(super) call_left: bool,
    pub(super) upload_clock: UploadClock,
}

/// When the bytes of an upload arrive.
#[derive(Debug)]
pub(super) struct UploadClock {
    last_byte: Instant,
    window_start: Instant,
    /// Bytes since the start of the window.
    received: u64,
}

impl UploadClock {
    pub(super) fn start() -> UploadClock {
        let now = Instant::now();
        UploadClock { last_byte: now, window_start: now, received: 0 }
    }

    pub(super) fn note(&mut self, bytes: usize) {
        self.last_byte = Instant::now();
        self.received += bytes as u64;
    }

    /// Whether no byte has arrived for as long as `window`, or fewer than `bytes_per_s` on average over that time.
    pub(super) fn is_idle(&mut self, window: Duration, bytes_per_s: u64) -> bool {
        let least = window.as_secs_f64() * bytes_per_s as f64;
        if self.last_byte.elapsed() > window {
            return true;
        }
        if self.window_start.elapsed() <= window {
            return false;
        }
        if (self.received as f64) < least {
            return true;
        }
        (self.window_start, self.received) = (Instant::now(), 0);
        false
    }
}

impl Control {
    /// Of a session that was just loaded or created.
    pub(super) fn new(state: State) -> Control {
        let upload_clock = UploadClock::start();
        Control { state, refusal: None, shut_down: false, call: 0, call_left: false, upload_clock }
    }
}

impl Session {
    /// Its state in the lifecycle.
    pub fn lifecycle(&self) -> State {
        lock(&self.control).state
    }

    /// Whether its pipeline is to stop.
    pub fn stop_requested(&self) -> bool {
        self.lifecycle().is_stopping()
    }

    /// Whether the server stops, so that calls must not wait for the session.
    pub fn is_shut_down(&self) -> bool {
        lock(&self.control).shut_down
    }

    /// Refuses the upload; the caller reports it. The first refusal stays.
    pub(super) fn refuse(&self, failure: Failure) {
        lock(&self.control).refusal.get_or_insert(failure);
    }

    /// The failure with which the upload was refused.
    pub fn refusal(&self) -> Option<Failure> {
        lock(&self.control).refusal.clone()
    }

    /// Whether this call is the last that took the session, and has not [left](Session::leave).
    pub fn is_held_by(&self, call: u64) -> bool {
        let control = lock(&self.control);
        control.call == call && !control.call_left
    }

    /// Whether a later call took the session.
    pub fn is_taken_from(&self, call: u64) -> bool {
        lock(&self.control).call != call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_idle_without_bytes_or_with_too_few() {
        let window = Duration::from_secs(10);
        let check = |last_byte_s, window_s, received, expected| {
            let ago = |s| Instant::now().checked_sub(Duration::from_secs(s)).unwrap();
            let (last_byte, window_start) = (ago(last_byte_s), ago(window_s));
            let mut clock = UploadClock { last_byte, window_start, received };
            assert_eq!(clock.is_idle(window, 100), expected, "{clock:?}");
        };
        check(11, 11, 5_000, true);
        check(1, 9, 0, false);
        check(1, 11, 999, true);
        check(1, 11, 1_000, false);
        let mut clock = UploadClock { received: 1_000, ..UploadClock::start() };
        clock.window_start -= Duration::from_secs(11);
        assert!(!clock.is_idle(window, 100) && clock.received == 0);
    }
}
