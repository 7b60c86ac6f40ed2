//! Looks after sessions that rest or have ended, and after threads that have.

use std::sync::Weak;
use std::time::Duration;

use super::{Scheduler, join};
use crate::separation::engine_probe;
use crate::session::manifest::Timestamp;
use crate::session::{Failure, Reason, Session, SessionState, Stop};

/// How often resting sessions are looked after.
const ROUNDS: Duration = Duration::from_secs(1);

/// How many rounds pass between two looks at the disk.
const ROUNDS_TO_RETENTION: u32 = 30;

/// The maintenance's life: rounds until the scheduler is gone or closed.
pub(super) fn maintain(scheduler: &Weak<Scheduler>) {
    for count in 1.. {
        // Woken when the scheduler closes.
        std::thread::park_timeout(ROUNDS);
        match scheduler.upgrade() {
            Some(scheduler) if !scheduler.lock().closed => scheduler.round(count),
            _ => return,
        }
    }
}

impl Scheduler {
    /// One round of the maintenance.
    fn round(&self, count: u32) {
        let ended: Vec<_> = self.lock().ended.extract_if(.., |t| t.is_finished()).collect();
        join(ended);
        engine_probe::round(&self.context);
        for session in self.store.all() {
            if self.is_idle(&session) {
                self.stop_where(&session, Stop::Pause, || self.is_idle(&session));
            }
            if self.is_forgotten(&session) {
                // Nobody wakes it meanwhile.
                let _places = self.lock();
                if self.is_forgotten(&session) {
                    let text = "the session was not resumed in time; send the song again";
                    session.fail(Failure::new(Reason::ResumeWindowEnded, text));
                }
            }
        }
        if count.is_multiple_of(ROUNDS_TO_RETENTION) {
            let removed = self.store.apply(self.limits.retention);
            if removed > 0 {
                tracing::info!(removed, "sessions were removed by retention");
            }
        }
    }

    /// Whether a session has waited for bytes for too long.
    fn is_idle(&self, session: &Session) -> bool {
        session.state() == SessionState::Uploading
            && session.idle_upload() > self.limits.idle_upload
    }

    /// Whether a session has rested for too long.
    fn is_forgotten(&self, session: &Session) -> bool {
        session.state() == SessionState::Paused && age(session) > self.limits.resume_window
    }
}

/// How long ago a session last changed.
fn age(session: &Session) -> Duration {
    let now = Timestamp::now();
    Duration::from_millis(now.0.saturating_sub(session.manifest().updated.0))
}
