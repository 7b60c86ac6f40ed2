//! Periodic work: idle uploads, resume windows, retention, joining ended threads.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::executor::Payload;
use super::{Scheduler, age, join};
use crate::proto::reason::ErrorReason;
use crate::separation::pipeline::{can_recompute, has_engine};
use crate::separation::{LEAST_SPACE, Limits, engine_probe};
use crate::session::lifecycle::{Event, State, UploadState};
use crate::session::live::FoundDamage;
use crate::session::retention::Retention;
use crate::session::{Failure, Session, SessionState};

/// Interval of the rounds.
const ROUND: Duration = Duration::from_secs(1);

/// The share of the limit of stored bytes that retention keeps free, so that sessions can be opened and continued.
const SPARE_SHARE: u64 = 64;

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
            if session.found_damage() == FoundDamage::ToRecompute {
                self.recompute(&session);
            }
            if self.is_forgotten(&session) {
                let event = Event::ResumeWindowPassed;
                self.report_late(&session, event, || self.is_forgotten(&session));
            }
        }
        self.stop_fenced();
        self.store.forget_fenced();
        self.retry_delayed();
        self.pause_stuck();
        // While the object store is away, nothing can be removed from it, nor read.
        if self.store.outage().is_some() {
            return;
        }
        if let Some(most) = self.limits.cache_bytes {
            self.store.trim_cache(most);
        }
        if count.is_multiple_of(ROUNDS_TO_RETENTION) || self.waits_for_storage() {
            self.apply_retention();
        }
    }

    /// Ends the runs of sessions that other servers continue.
    fn stop_fenced(self: &Arc<Scheduler>) {
        let fenced = |session: &Arc<Session>| {
            let state = session.lifecycle();
            session.is_fenced() && (state.has_run() || matches!(state, State::Queued(_)))
        };
        let sessions = self.store.all();
        for session in sessions.iter().filter(|session| fenced(session)) {
            let mut slots = self.lock();
            self.apply_or_log(&mut slots, session, Event::ServerStopping, Payload::Nothing);
            self.fill(&mut slots);
        }
    }

    /// Pauses sessions that have become stuck, as far as they are too many.
    fn pause_stuck(self: &Arc<Scheduler>) {
        let mut slots = self.lock();
        slots.scant.prune();
        self.limit_stuck(&mut slots);
        self.fill(&mut slots);
    }

    /// Whether a session is delayed until stored sessions are removed.
    fn waits_for_storage(&self) -> bool {
        let waits = |session: &Arc<Session>| {
            let manifest = session.manifest();
            manifest.delay().is_some_and(|delay| delay.reason == ErrorReason::StorageFull)
        };
        self.store.all().iter().any(waits)
    }

    /// Puts delayed sessions whose time has come back into the queue, the oldest first.
    fn retry_delayed(self: &Arc<Scheduler>) {
        let mut delayed = self.store.all();
        delayed.retain(|session| matches!(session.lifecycle(), State::Delayed(_)));
        delayed.sort_by_key(|session| (session.manifest().created, session.id()));
        for session in delayed {
            let manifest = session.manifest();
            let needed = manifest.delay().and_then(Failure::needed_bytes).unwrap_or(LEAST_SPACE);
            let lacks_worker =
                manifest.delay().is_some_and(|delay| delay.reason == ErrorReason::NoWorker);
            if lacks_worker && !has_engine(&manifest, &self.context) {
                continue;
            }
            if self.lock().delays.is_due(session.id()) && self.context.space.check(needed).is_ok() {
                self.report_late(&session, Event::RetryDue, || true);
            }
        }
    }

    /// Schedules a session that is done and has damaged frames, if the engines that computed it can do so again.
    fn recompute(self: &Arc<Scheduler>, session: &Arc<Session>) {
        let manifest = session.manifest();
        if manifest.state() == SessionState::Done && !can_recompute(&manifest, &self.context) {
            session.set_found_damage(FoundDamage::Lost);
            return;
        }
        // Its run finds out which commits are to be taken back: that takes a while.
        let mut slots = self.lock();
        self.apply_or_log(&mut slots, session, Event::DamageFound, Payload::Nothing);
        self.fill(&mut slots);
    }

    fn apply_retention(self: &Arc<Scheduler>) {
        let mut removed = 0;
        let Retention { age, bytes } = self.limits.retention;
        let mut bytes = bytes - bytes / SPARE_SHARE;
        if self.waits_for_storage() {
            // As much as lets it continue; more if it is delayed again.
            bytes = bytes.min(self.store.stored_bytes().saturating_sub(LEAST_SPACE));
        }
        let policy = Retention { age, bytes };
        for session in self.store.expired(policy) {
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
        removed += self.store.remove_damaged(age);
        if removed > 0 {
            tracing::info!(removed, "retention removed sessions");
        }
    }

    /// Reports an event if `condition` still holds under the lock. Returns whether its files are to be removed.
    pub(super) fn report_late(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: Event,
        condition: impl FnOnce() -> bool,
    ) -> bool {
        let reported = self.report_with(session, || condition().then_some(event));
        reported.is_ok_and(|reported| reported.removes_files)
    }

    /// Whether an upload has received no bytes for the idle limit, or too few.
    fn is_idle(&self, session: &Session) -> bool {
        let Limits { idle_upload, upload_bytes_per_s, .. } = self.limits;
        let least_rate = match session.lifecycle() {
            _ if session.state() == SessionState::Uploading => upload_bytes_per_s,
            // The server itself has stopped the upload.
            State::Delayed(UploadState::Receiving) => 0,
            _ => return false,
        };
        session.is_upload_idle(idle_upload, least_rate)
    }

    /// Whether a session has been paused for longer than the resume window.
    fn is_forgotten(&self, session: &Session) -> bool {
        matches!(session.lifecycle(), State::Paused(_))
            && age(session.manifest().updated) > self.limits.resume_window
    }
}
