//! The scheduler: admits sessions, limits how many are open, and queues the others. Paused and ended sessions are
//! handled by [`maintenance`]; sessions of an earlier server by [`recovery`].

mod maintenance;
mod recovery;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::pipeline::{self, Context, Outcome};
use super::{Limits, SeparationError};
use crate::session::failure::SessionError;
use crate::session::{Failure, Reason, Session, SessionId, SessionState, Stop, Store};

/// How many sessions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that receive and compute.
    pub open: usize,
    /// Sessions that wait for a place.
    pub queued: usize,
}

/// Gives slots to sessions and looks after those that rest.
pub(super) struct Scheduler {
    store: Store,
    context: Context,
    limits: Limits,
    slots: Mutex<Slots>,
    /// Tells that a place has become free.
    freed: Condvar,
}

#[derive(Default)]
struct Slots {
    closed: bool,
    open: HashMap<SessionId, OpenSession>,
    queue: VecDeque<Arc<Session>>,
    /// Threads that have ended or are about to.
    ended: Vec<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
}

struct OpenSession {
    session: Arc<Session>,
    thread: Option<JoinHandle<()>>,
    /// It shall go on when it has stopped.
    again: bool,
}

impl Scheduler {
    pub(super) fn open(
        store: Store,
        context: Context,
        limits: Limits,
    ) -> io::Result<Arc<Scheduler>> {
        let slots = Mutex::default();
        let scheduler =
            Arc::new(Scheduler { store, context, limits, slots, freed: Condvar::new() });
        scheduler.recover();
        let weak = Arc::downgrade(&scheduler);
        let maintenance = std::thread::Builder::new()
            .name("maintenance".into())
            .spawn(move || maintenance::maintain(&weak))?;
        scheduler.lock().maintenance = Some(maintenance);
        Ok(scheduler)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn counts(&self) -> Counts {
        let slots = self.lock();
        Counts { open: slots.open.len(), queued: slots.queue.len() }
    }

    /// Gives a session a place, now or when there is one. Does nothing for one that has ended or has
    /// its place.
    pub(super) fn admit(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
    ) -> Result<(), SeparationError> {
        {
            let mut slots = self.lock();
            if session.state().is_ended() || slots.is_queued(session.id()) {
                return Ok(());
            }
            if let Some(open) = slots.open.get_mut(&session.id()) {
                open.again = session.stop_requested() == Some(Stop::Pause);
                return Ok(());
            }
            slots.check(&self.limits)?;
            if session.state() == SessionState::Paused {
                wake(session).map_err(SessionError::Storage)?;
            }
            slots.queue.push_back(Arc::clone(session));
        }
        self.fill();
        Ok(())
    }

    /// Whether one more session would get a place or a place in the queue.
    pub(super) fn check_slot(&self) -> Result<(), SeparationError> {
        self.lock().check(&self.limits)
    }

    /// Stops a session: within a segment where it is open, at once where it is not.
    pub(super) fn stop(&self, session: &Arc<Session>, stop: Stop) {
        self.stop_where(session, stop, || true);
    }

    /// The same where `condition` holds. It is looked at under the lock that whoever lets a session go on takes
    /// too, so that neither misses the other.
    pub(super) fn stop_where(
        &self,
        session: &Arc<Session>,
        stop: Stop,
        condition: impl FnOnce() -> bool,
    ) {
        let mut slots = self.lock();
        if !condition() {
            return;
        }
        if let Some(open) = slots.open.get_mut(&session.id()) {
            open.again = false;
            session.request_stop(stop);
            return;
        }
        slots.leave_queue(session.id());
        conclude(session, &Outcome::Stopped(stop));
    }

    /// Ends a session whose upload was refused, and waits until it has left its place.
    pub(super) fn end_refused(&self, session: &Session) {
        let Some(failure) = session.refusal() else { return };
        let mut slots = self.lock();
        if !slots.open.contains_key(&session.id()) {
            slots.leave_queue(session.id());
            conclude(session, &Outcome::Failed(failure));
            return;
        }
        drop(slots);
        self.wait_closed(session);
    }

    /// Waits until a session that was stopped has left its place.
    pub(super) fn wait_closed(&self, session: &Session) {
        let mut slots = self.lock();
        while slots.open.contains_key(&session.id()) {
            slots = self.freed.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn close(&self, deadline: Instant) -> bool {
        let mut slots = self.lock();
        slots.closed = true;
        slots.queue.clear();
        if let Some(maintenance) = &slots.maintenance {
            maintenance.thread().unpark();
        }
        // Also those that rest: somebody may wait for them to go on.
        for session in self.store.all() {
            session.shut_down();
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
        drop(slots);
        join(threads);
        true
    }

    /// Opens waiting sessions while there are slots.
    fn fill(self: &Arc<Scheduler>) {
        let mut slots = self.lock();
        while !slots.closed && slots.open.len() < self.limits.open_sessions {
            let Some(session) = slots.queue.pop_front() else { break };
            if session.state().is_ended() {
                continue;
            }
            session.clear_stop();
            session.set_queue_position(0);
            let scheduler = Arc::clone(self);
            let running = Arc::clone(&session);
            let thread = std::thread::Builder::new().name("session".into());
            // The new thread waits for this lock before it ends, so the entry is there by then.
            match thread.spawn(move || scheduler.run(&running)) {
                Ok(thread) => {
                    let open = OpenSession { session, thread: Some(thread), again: false };
                    slots.open.insert(open.session.id(), open);
                }
                Err(error) => {
                    let text = format!("the server has no thread left: {error}; try again later");
                    session.fail(Failure::new(Reason::Internal, text));
                }
            }
        }
        slots.update_positions();
    }

    /// Runs a session in its own thread, then makes its slot free.
    fn run(self: Arc<Scheduler>, session: &Arc<Session>) {
        let work = || pipeline::run(session, &self.context);
        // A defect in the pipeline ends one session; its slot must not stay taken.
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let text = "the server has a defect, which its log shows; this song met it";
            Outcome::Failed(Failure::new(Reason::Internal, text))
        });
        let mut slots = self.lock();
        let Some(mut open) = slots.open.remove(&session.id()) else { return };
        let outcome = latest(session, outcome);
        if open.again && outcome == Outcome::Stopped(Stop::Pause) {
            slots.queue.push_back(Arc::clone(session));
        } else {
            conclude(session, &outcome);
        }
        slots.ended.extend(open.thread.take());
        drop(slots);
        self.freed.notify_all();
        self.fill();
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// Whether one more may come.
    fn check(&self, limits: &Limits) -> Result<(), SeparationError> {
        if self.closed {
            return Err(SeparationError::ShuttingDown);
        }
        let (open, queued) = (self.open.len(), self.queue.len());
        if open >= limits.open_sessions && queued >= limits.queued_sessions {
            return Err(SeparationError::QueueFull { open, queued });
        }
        Ok(())
    }

    fn is_queued(&self, id: SessionId) -> bool {
        self.queue.iter().any(|session| session.id() == id)
    }

    fn leave_queue(&mut self, id: SessionId) {
        self.queue.retain(|queued| queued.id() != id);
        self.update_positions();
    }

    fn update_positions(&self) {
        for (position, session) in (1..).zip(&self.queue) {
            session.set_queue_position(position);
        }
    }
}

/// How a run has ended by all that is known now: more may have been asked of it while it was ending.
fn latest(session: &Session, outcome: Outcome) -> Outcome {
    match (session.refusal(), outcome) {
        (Some(failure), _) => Outcome::Failed(failure),
        (None, Outcome::Stopped(stop)) => {
            Outcome::Stopped(session.stop_requested().unwrap_or(stop))
        }
        (None, outcome) => outcome,
    }
}

/// Writes down how a run ended. Under the lock, with the place given back: whoever sees the end of a session finds
/// its slot free.
fn conclude(session: &Session, outcome: &Outcome) {
    match outcome {
        Outcome::Done(complete) => {
            if let Err(error) = session.complete(|manifest| complete.note(manifest)) {
                session.fail(Failure::of_storage(&error));
            }
        }
        // It was still writing when that came.
        Outcome::Ended => session.remove_scratch(),
        Outcome::Failed(failure) => session.fail(failure.clone()),
        Outcome::Stopped(Stop::Cancel) => session.cancel(),
        // It stays what it is: the next server knows what to do with it.
        Outcome::Stopped(Stop::Shutdown) => session.notifier().notify(),
        Outcome::Stopped(Stop::Pause) => {
            // Where it cannot be written, the next server finds a session that nobody has finished, and
            // does the same.
            if session.state() != SessionState::Paused {
                session.settle(|manifest| manifest.state = SessionState::Paused);
            }
        }
    }
}

/// Makes a paused session one that runs.
fn wake(session: &Session) -> io::Result<()> {
    session.clear_stop();
    session.update(|manifest| {
        let complete = manifest.upload_complete();
        manifest.state = if complete { SessionState::Running } else { SessionState::Uploading };
    })
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.thread().id() == std::thread::current().id() {
            continue;
        }
        // A panic has been printed where it happened.
        let _ = thread.join();
    }
}
