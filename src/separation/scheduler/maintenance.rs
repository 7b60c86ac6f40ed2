//! Periodic work: idle uploads, resume windows, retention, joining ended threads.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Scheduler, join};
use crate::separation::engine_probe;
use crate::session::lifecycle::Event;
use crate::session::manifest::Timestamp;
use crate::session::{Session, SessionState};

/// Interval of the rounds.
const ROUND: Duration = Duration::from_secs(1);

/// Rounds between two applications of retention.
const ROUNDS_TO_RETENTION: u32 = 30;

/// The maintenance thread: runs rounds until the scheduler is closed or dropped.
pub(super) fn maintain(scheduler: &Weak<Scheduler>) {
    for count in 1.. {
        // Unparked when the scheduler closes.
        std::thread::park_timeout(ROUND);
        match scheduler.upgrade() {
            Some(scheduler) if !scheduler.lock().closed => scheduler.round(count),
            _ => return,
        }
    }
}

impl Scheduler {
    fn round(self: &Arc<Scheduler>, count: u32) {
        let ended: Vec<_> = self.lock().ended.extract_if(.., |t| t.is_finished()).collect();
        join(ended);
        engine_probe::round(&self.context);
        for session in self.store.all() {
            if self.is_idle(&session) {
                self.report_late(&session, Event::UploadIdle, || self.is_idle(&session));
            }
            if self.is_forgotten(&session) {
                let event = Event::ResumeWindowPassed;
                self.report_late(&session, event, || self.is_forgotten(&session));
            }
        }
        if count.is_multiple_of(ROUNDS_TO_RETENTION) {
            self.apply_retention();
        }
    }

    fn apply_retention(self: &Arc<Scheduler>) {
        let mut removed = 0;
        for session in self.store.expired(self.limits.retention) {
            let unread = || !session.has_readers();
            if !self.report_late(&session, Event::RetentionExpired, unread) {
                continue;
            }
            match self.store.remove(&session) {
                Ok(()) => removed += 1,
                Err(error) => {
                    tracing::error!(session = %session.id(), %error, "cannot remove the session");
                }
            }
        }
        if removed > 0 {
            tracing::info!(removed, "retention removed sessions");
        }
    }

    /// Reports an event if `condition` still holds under the lock. Returns whether its files are to be removed.
    fn report_late(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: Event,
        condition: impl FnOnce() -> bool,
    ) -> bool {
        let reported = self.report_with(session, || condition().then_some(event));
        reported.is_ok_and(|reported| reported.removes_files)
    }

    /// Whether an upload has received no bytes for the idle limit.
    fn is_idle(&self, session: &Session) -> bool {
        session.state() == SessionState::Uploading
            && session.idle_upload() > self.limits.idle_upload
    }

    /// Whether a session has been paused for longer than the resume window.
    fn is_forgotten(&self, session: &Session) -> bool {
        session.state() == SessionState::Paused && age(session) > self.limits.resume_window
    }
}

/// Time since a session last changed.
fn age(session: &Session) -> Duration {
    let now = Timestamp::now();
    Duration::from_millis(now.0.saturating_sub(session.manifest().updated.0))
}
