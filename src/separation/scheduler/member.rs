//! A session that is scheduled, as the order of slots has it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::age;
use crate::session::lifecycle::{State, UploadState};
use crate::session::{Session, SessionId};

/// Age from which a parked session counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// Bytes per second of its age below which an upload is stuck: a sixteenth of MP3 in real time. The first second is free.
const STUCK_RATE: u64 = 1024;

/// Whether a run may compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotState {
    /// It has a slot.
    Held,
    /// It waits for one.
    Awaited,
    /// It can compute nothing until more of its upload arrives, and has no slot.
    Parked,
}

/// The state of a run's slot. Changed under the scheduler's lock; the run reads it without.
#[derive(Debug)]
pub(super) struct SharedSlotState(Mutex<SlotState>);

/// A scheduled session.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: Arc<Session>,
    pub(super) slot: Arc<SharedSlotState>,
    /// Whether its pipeline has been started.
    pub(super) has_run: bool,
}

/// Whether less has arrived of an upload than its age allows.
pub(super) fn is_slow(session: &Session) -> bool {
    session.uploaded() < STUCK_RATE * age(session.manifest().created).as_secs()
}

impl SharedSlotState {
    pub(super) fn get(&self) -> SlotState {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the previous state.
    fn replace(&self, state: SlotState) -> SlotState {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }
}

impl Member {
    pub(super) fn new(session: &Arc<Session>) -> Member {
        let slot = Arc::new(SharedSlotState(Mutex::new(SlotState::Awaited)));
        Member { session: Arc::clone(session), slot, has_run: false }
    }

    pub(super) fn is(id: SessionId) -> impl Fn(&Member) -> bool {
        move |member| member.session.id() == id
    }

    /// Sets the state of its slot, and wakes its run if it has been granted one.
    pub(super) fn set_slot(&self, state: SlotState) {
        if self.slot.replace(state) != state && state == SlotState::Held {
            self.session.notifier().notify();
        }
    }

    /// Whether it is to be paused if others need its place: its upload is incomplete, and there is nothing to compute.
    pub(super) fn is_stuck(&self) -> bool {
        let (age, is_slow) = (age(self.session.manifest().created), is_slow(&self.session));
        match self.session.lifecycle() {
            State::Open(UploadState::Receiving) => {
                self.slot.get() == SlotState::Parked && (is_slow || age >= STUCK_AFTER)
            }
            State::Queued(UploadState::Receiving) => is_slow,
            _ => false,
        }
    }
}
