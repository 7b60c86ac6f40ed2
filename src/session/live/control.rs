//! Who holds a session, and whether it shall stop.

use std::time::Instant;

use super::{Session, lock};
use crate::session::{Failure, SessionState};

/// What is asked of a session.
#[derive(Debug)]
pub(super) struct Control {
    stop: Option<Stop>,
    /// What it is to fail with: its upload was refused.
    refusal: Option<Failure>,
    /// The server ends; nobody need wait for the session here any more.
    shut_down: bool,
    /// Counts the calls that have held the session; the last one holds it.
    call: u64,
    pub(super) last_byte: Instant,
}

/// Why a running session shall stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// The server ends; the session goes on with the next one.
    Shutdown,
    /// Its client left; it may come back.
    Pause,
    /// A client ended it.
    Cancel,
}

impl Control {
    /// Nobody holds it, and nothing is asked.
    pub(super) fn new() -> Control {
        let last_byte = Instant::now();
        Control { stop: None, refusal: None, shut_down: false, call: 0, last_byte }
    }
}

impl Session {
    /// Asks a running session to stop. A stronger wish stands against a weaker one.
    pub fn request_stop(&self, stop: Stop) {
        let mut control = lock(&self.control);
        control.stop = control.stop.max(Some(stop));
        drop(control);
        self.notifier.notify();
    }

    /// Says that the server ends: a running session stops, and who waits for it is told.
    pub fn shut_down(&self) {
        lock(&self.control).shut_down = true;
        self.request_stop(Stop::Shutdown);
    }

    /// Whether the server ends.
    pub fn is_shut_down(&self) -> bool {
        lock(&self.control).shut_down
    }

    /// What was asked of a running session.
    pub fn stop_requested(&self) -> Option<Stop> {
        lock(&self.control).stop
    }

    /// Takes the wish to stop back, when the session is to run again.
    pub fn clear_stop(&self) {
        let mut control = lock(&self.control);
        control.stop = None;
        control.last_byte = Instant::now();
    }

    /// Whether it rests, or is about to.
    pub fn is_pausing(&self) -> bool {
        self.state() == SessionState::Paused || self.stop_requested() == Some(Stop::Pause)
    }

    /// Refuses the upload: who runs the session, or keeps it, ends it with this.
    pub(super) fn refuse(&self, failure: Failure) {
        lock(&self.control).refusal.get_or_insert(failure);
        self.notifier.notify();
    }

    /// What the upload was refused with.
    pub fn refusal(&self) -> Option<Failure> {
        lock(&self.control).refusal.clone()
    }

    /// Gives the session to a new call; answers the call's number. The call before sees that it no
    /// longer [holds](Session::is_held_by) the session.
    pub fn hold(&self) -> u64 {
        let mut control = lock(&self.control);
        control.call += 1;
        let call = control.call;
        drop(control);
        self.notifier.notify();
        call
    }

    /// Whether this call is the last that took the session.
    pub fn is_held_by(&self, call: u64) -> bool {
        lock(&self.control).call == call
    }
}
