//! The scheduler: admits sessions, limits how many are open, and reports to their lifecycle what happens to them.
//!
//! Every change of a session's state happens here, under one lock: an event is reported, [`lifecycle::step`] decides,
//! and the [`executor`] executes the actions. So events are serialized, and a session whose end is visible has released
//! its slot. [`maintenance`] reports time limits, [`recovery`] restores the sessions of the previous process.
//!
//! [`lifecycle::step`]: fn@crate::session::lifecycle::step

mod delays;
mod executor;
mod maintenance;
mod recovery;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::pipeline::{self, Context, RunOutcome};
use super::{Limits, SeparationError};
use crate::proto::reason::ErrorReason;
use crate::session::lifecycle::{Action, Event, RunEnd, State, StateWriter, step};
use crate::session::manifest::UploadRecord;
use crate::session::settings::OnDisconnect;
use crate::session::{Failure, Session, SessionError, SessionId, Store};
use delays::Delays;
use executor::Payload;

/// Numbers of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions in slots.
    pub open: usize,
    /// Sessions in the queue.
    pub queued: usize,
}

/// Schedules the sessions of a store.
pub(super) struct Scheduler {
    store: Store,
    context: Context,
    limits: Limits,
    slots: Mutex<Slots>,
    /// Notified whenever a slot is released.
    freed: Condvar,
}

/// What the lock protects.
struct Slots {
    /// The permission to change states, bound to the lock.
    writer: StateWriter,
    closed: bool,
    open: HashMap<SessionId, OpenSession>,
    queue: VecDeque<Arc<Session>>,
    delays: Delays,
    /// Threads that have ended or are about to.
    ended: Vec<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
    recovery: Option<JoinHandle<()>>,
}

/// A session in a slot.
struct OpenSession {
    /// The thread that runs its pipeline, or why there is none.
    thread: io::Result<JoinHandle<()>>,
}

impl Scheduler {
    pub(super) fn open(
        store: Store,
        context: Context,
        limits: Limits,
    ) -> io::Result<Arc<Scheduler>> {
        let taken = || io::Error::other("the store has a scheduler already");
        let slots = Mutex::new(Slots {
            writer: store.take_state_writer().ok_or_else(taken)?,
            closed: false,
            open: HashMap::new(),
            queue: VecDeque::new(),
            delays: Delays::default(),
            ended: Vec::new(),
            maintenance: None,
            recovery: None,
        });
        let scheduler =
            Arc::new(Scheduler { store, context, limits, slots, freed: Condvar::new() });
        let weak = Arc::downgrade(&scheduler);
        let recover = move |session: &Arc<Session>| {
            if let Some(scheduler) = weak.upgrade() {
                scheduler.recover(session);
            }
        };
        scheduler.store.recover_with(Box::new(recover));
        let recovering = Arc::clone(&scheduler);
        let recovery = std::thread::Builder::new()
            .name("recovery".into())
            .spawn(move || recovering.load_sessions())?;
        scheduler.lock().recovery = Some(recovery);
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

    /// Checks that one more session would get a slot or a position in the queue.
    pub(super) fn check_capacity(&self) -> Result<(), SeparationError> {
        self.lock().check_capacity(&self.limits)
    }

    /// Reports an event that may put the session into the queue.
    ///
    /// # Errors
    /// `QueueFull`, `ShuttingDown`; `Storage` if the new state cannot be written. Then nothing has changed.
    pub(super) fn admit(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: Event,
    ) -> Result<(), SeparationError> {
        self.admit_locked(&mut self.lock(), session, event)
    }

    fn admit_locked(
        self: &Arc<Scheduler>,
        slots: &mut Slots,
        session: &Arc<Session>,
        event: Event,
    ) -> Result<(), SeparationError> {
        if step(session.lifecycle(), event).1.contains(&Action::Enqueue) {
            slots.check_capacity(&self.limits)?;
        }
        self.apply(slots, session, event, Payload::Nothing).map_err(SessionError::Storage)?;
        self.fill(slots);
        Ok(())
    }

    /// Gives a session to a new call and resumes it, in one step: a call that breaks off at this moment sees both or
    /// neither.
    /// # Errors
    /// Those of [`Scheduler::admit`]; the previous call no longer holds the session in any case.
    pub(super) fn take_over(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
    ) -> Result<u64, SeparationError> {
        let mut slots = self.lock();
        let call = session.take_over(&slots.writer);
        self.admit_locked(&mut slots, session, Event::TakenOver)?;
        Ok(call)
    }

    /// The call with this number broke off; nothing happens if it does not hold the session.
    pub(super) fn client_left(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        call: u64,
        policy: OnDisconnect,
    ) {
        let mut slots = self.lock();
        if session.leave(&slots.writer, call) {
            let left = Event::ClientLeft { policy, watched: session.has_readers() };
            self.apply_or_log(&mut slots, session, left, Payload::Nothing);
            self.fill(&mut slots);
        }
    }

    /// Reports `event`, which resumes the session because bytes or the end of its upload arrived. Where they came for a
    /// call that no longer holds the session, its client is not there to have it resumed.
    ///
    /// # Errors
    /// Those of [`Scheduler::admit`].
    pub(super) fn arrived(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        call: Option<u64>,
        event: Event,
    ) -> Result<(), SeparationError> {
        let mut slots = self.lock();
        let event = if call.is_none_or(|call| session.is_held_by(call)) {
            event
        } else {
            let policy = session.manifest().settings.on_disconnect;
            Event::ArrivedLate { policy, watched: session.has_readers() }
        };
        self.admit_locked(&mut slots, session, event)
    }

    /// Stores the end of an upload.
    pub(super) fn finish_upload(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        upload: &UploadRecord,
    ) -> io::Result<()> {
        let note = |manifest: &mut crate::session::Manifest| manifest.upload = upload.clone();
        let mut slots = self.lock();
        self.apply(&mut slots, session, Event::UploadFinished, Payload::Note(&note))?;
        Ok(())
    }

    /// Removes a session: at once if it has no slot, else once it has released it. Returns `false` if `event`, which is
    /// `DeleteRequested` or `FormAbandoned`, leaves it as it is.
    ///
    /// # Errors
    /// `NotFound` if another call removes it; `Storage`.
    pub(super) fn remove(
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
                State::Removed => return Err(SessionError::NotFound(session.id())),
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
    pub(super) fn wait_closed(&self, session: &Session) {
        let mut slots = self.lock();
        while slots.open.contains_key(&session.id()) {
            slots = self.freed.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn close(self: &Arc<Scheduler>, deadline: Instant) -> bool {
        let mut slots = self.lock();
        slots.closed = true;
        if let Some(maintenance) = &slots.maintenance {
            maintenance.thread().unpark();
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

    /// Runs a session's pipeline in its own thread and reports how it ended.
    fn run(self: Arc<Scheduler>, session: &Arc<Session>) {
        let work = || pipeline::run(session, &self.context);
        // A panic ends one session and releases its slot.
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let text = "internal error while processing this song";
            RunOutcome::Failed(Failure::new(ErrorReason::Internal, text))
        });
        let mut slots = self.lock();
        let event = Event::RunEnded(match &outcome {
            RunOutcome::Done(_) => RunEnd::Done,
            RunOutcome::Stopped => RunEnd::Stopped,
            RunOutcome::Delayed(_) => RunEnd::Delayed,
            RunOutcome::Failed(_) => RunEnd::Failed,
        });
        let reported = match outcome {
            RunOutcome::Done(stems) => {
                let note = |manifest: &mut crate::session::Manifest| stems.note(manifest);
                self.apply(&mut slots, session, event, Payload::Note(&note))
            }
            RunOutcome::Stopped => self.apply(&mut slots, session, event, Payload::Nothing),
            RunOutcome::Delayed(failure) | RunOutcome::Failed(failure) => {
                self.apply(&mut slots, session, event, Payload::Failure(failure))
            }
        };
        if let Err(error) = reported {
            let failure = Failure::of_storage(&error);
            let end = if failure.is_temporary() { RunEnd::Delayed } else { RunEnd::Failed };
            let event = Event::RunEnded(end);
            self.apply_or_log(&mut slots, session, event, Payload::Failure(failure));
        }
        self.fill(&mut slots);
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSession {
    /// Starts the thread, which waits for the scheduler's lock before it ends.
    fn start(scheduler: &Arc<Scheduler>, session: &Arc<Session>) -> OpenSession {
        let (scheduler, session) = (Arc::clone(scheduler), Arc::clone(session));
        let thread = std::thread::Builder::new().name("session".into());
        OpenSession { thread: thread.spawn(move || scheduler.run(&session)) }
    }
}

impl Slots {
    /// Checks that one more session is within the limits.
    fn check_capacity(&self, limits: &Limits) -> Result<(), SeparationError> {
        if self.closed {
            return Err(SeparationError::ShuttingDown);
        }
        let (open, queued) = (self.open.len(), self.queue.len());
        if open >= limits.open_sessions && queued >= limits.queued_sessions {
            return Err(SeparationError::QueueFull { open, queued });
        }
        Ok(())
    }

    fn update_positions(&self) {
        for (position, session) in (1..).zip(&self.queue) {
            session.set_queue_position(position);
        }
    }
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
