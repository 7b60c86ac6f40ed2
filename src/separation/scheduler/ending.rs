//! Removes sessions, and stops all of them when the server stops.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::executor::Payload;
use super::{Scheduler, join};
use crate::session::lifecycle::{Event, State};
use crate::session::{Session, SessionError};

impl Scheduler {
    /// Removes a session: at once if it has no slot, else once it has released it. Returns `false` if `event`, which is
    /// `DeleteRequested` or `FormAbandoned`, leaves it as it is.
    ///
    /// # Errors
    /// `NotFound` if another call removes it, `Replica` as long as that may fail; `Storage`.
    pub(in crate::separation) fn remove(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        mut event: Event,
    ) -> Result<bool, SessionError> {
        loop {
            let reported = self.report(session, event)?;
            if reported.removes_files {
                self.store.remove(session)?;
                return Ok(true);
            }
            match reported.after {
                State::Removed => return Err(session.gone()),
                State::Done | State::Failed | State::Cancelled => return Ok(false),
                State::Unscheduled { .. }
                | State::Queued(_)
                | State::Open(_)
                | State::Stopping(..)
                | State::Paused(_)
                | State::Delayed(_) => self.wait_closed(session),
            }
            event = Event::DeleteRequested;
        }
    }

    /// Waits until a stopping session has released its slot.
    pub(in crate::separation) fn wait_closed(&self, session: &Session) {
        let mut slots = self.lock();
        while slots.open.contains_key(&session.id()) {
            slots = self.freed.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(in crate::separation) fn close(self: &Arc<Scheduler>, deadline: Instant) -> bool {
        let mut slots = self.lock();
        slots.closed = true;
        for waiting in slots.maintenance.iter().chain(&slots.recovery) {
            waiting.thread().unpark();
        }
        for session in self.store.all() {
            self.apply_or_log(&mut slots, &session, Event::ServerStopping, Payload::Nothing);
        }
        while !slots.open.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.freed.wait_timeout(slots, left);
            slots = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut threads = std::mem::take(&mut slots.ended);
        threads.extend(slots.maintenance.take());
        threads.extend(slots.recovery.take());
        drop(slots);
        join(threads);
        true
    }
}
