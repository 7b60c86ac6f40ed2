//! The lifecycle state of a session, the call that holds it, and stop requests.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Session, lock};
use crate::session::Failure;
use crate::session::lifecycle::State;

/// Which of the calls of one client for a session a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallAttempt {
    /// The client.
    pub caller: Uuid,
    /// A later call has a higher number.
    pub number: u32,
}

/// Clients whose last calls are remembered for a session. One has a session at a time.
const MOST_CALLERS: usize = 4;

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
    /// The last calls of clients that number theirs.
    attempts: Vec<CallAttempt>,
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
        let (attempts, upload_clock) = (Vec::new(), UploadClock::start());
        let (refusal, shut_down, call, call_left) = (None, false, 0, false);
        Control { state, refusal, shut_down, call, call_left, attempts, upload_clock }
    }

    /// Gives the session to a new call. Returns its number; `None` if a later call of the same client has come before.
    pub(super) fn take_over(&mut self, attempt: Option<CallAttempt>) -> Option<u64> {
        if let Some(attempt) = attempt {
            let is_same = |other: &CallAttempt| other.caller == attempt.caller;
            if self.attempts.iter().any(|other| is_same(other) && other.number > attempt.number) {
                return None;
            }
            self.attempts.retain(|other| !is_same(other));
            self.attempts.push(attempt);
            if self.attempts.len() > MOST_CALLERS {
                self.attempts.remove(0);
            }
        }
        (self.call, self.call_left) = (self.call + 1, false);
        Some(self.call)
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
    fn a_call_does_not_take_a_session_from_a_later_one_of_its_client() {
        let [one, other] = [(); 2].map(|()| Uuid::new_v4());
        let mut control = Control::new(State::Done);
        // Calls as (client, number) -> whether they get the session, which `None` always does.
        for (call, is_given) in [
            (Some((one, 2)), true),
            (Some((one, 1)), false),
            // A connection may repeat what it has not sent.
            (Some((one, 2)), true),
            (Some((other, 1)), true),
            (Some((one, 1)), false),
            (None, true),
            (Some((other, 1)), true),
            (Some((one, 3)), true),
            (Some((one, 2)), false),
        ] {
            let before = control.call;
            let attempt = call.map(|(caller, number)| CallAttempt { caller, number });
            let given = control.take_over(attempt);
            assert_eq!(given, is_given.then_some(before + 1), "{call:?}");
        }
        for number in 0..100 {
            control.take_over(Some(CallAttempt { caller: Uuid::new_v4(), number }));
        }
        assert_eq!(control.attempts.len(), MOST_CALLERS);
    }

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
