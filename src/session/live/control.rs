//! The lifecycle state of a session, the call that holds it, and stop requests.

use std::time::Instant;

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
    pub(super) last_byte: Instant,
}

impl Control {
    /// Of a session that was just loaded or created.
    pub(super) fn new(state: State) -> Control {
        let last_byte = Instant::now();
        Control { state, refusal: None, shut_down: false, call: 0, call_left: false, last_byte }
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
