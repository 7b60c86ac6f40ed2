//! The scheduler: admits sessions, limits how many compute, and reports to their lifecycle what happens to them.
//!
//! Every change of a session's state happens here, under one lock: an event is reported, [`lifecycle::step`] decides,
//! and the [`executor`] executes the actions. So events are serialized, and a session whose end is visible has released
//! its slot. [`maintenance`] reports time limits, [`recovery`] restores the sessions of the previous process.
//!
//! [`admission`] limits how many sessions there are. Slots are granted in the order of the [`slot_queue`]: a session
//! needs one to start its run and to compute, and its run gives it back, parked, while it waits for its upload
//! ([`runs`]). The lifecycle does not distinguish these: a session with a run is [`State::Open`].
//!
//! [`lifecycle::step`]: fn@crate::session::lifecycle::step
//! [`State::Open`]: crate::session::lifecycle::State::Open

mod admission;
mod delays;
mod ending;
mod executor;
mod maintenance;
mod member;
mod recovery;
mod runs;
mod scant_uploads;
mod slot_queue;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Limits;
use super::pipeline::Context;
use crate::session::lifecycle::{Event, StateWriter};
use crate::session::manifest::{Timestamp, UploadRecord};
use crate::session::{Session, SessionId, Store};
use delays::Delays;
use executor::Payload;
use member::Member;
use scant_uploads::ScantUploads;
use slot_queue::SlotQueue;

/// Numbers of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that hold a slot.
    pub open: usize,
    /// Sessions that wait for a slot.
    pub queued: usize,
    /// Sessions without a slot that wait for more of their upload.
    pub parked: usize,
}

/// Schedules the sessions of a store.
pub(super) struct Scheduler {
    store: Store,
    context: Context,
    limits: Limits,
    slots: Mutex<Slots>,
    /// Notified whenever a run has ended.
    freed: Condvar,
}

/// What the lock protects.
struct Slots {
    /// The permission to change states, bound to the lock.
    writer: StateWriter,
    closed: bool,
    /// The sessions with a run.
    open: HashMap<SessionId, OpenSession>,
    /// The sessions that are scheduled, with a run or without.
    queue: SlotQueue<Member>,
    delays: Delays,
    scant: ScantUploads,
    /// Threads that have ended or are about to.
    ended: Vec<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
    recovery: Option<JoinHandle<()>>,
}

/// A session with a run.
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
            queue: SlotQueue::new(limits.slots),
            delays: Delays::default(),
            scant: ScantUploads::default(),
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
        let queue = &slots.queue;
        let [open, queued] = [queue.holding().count(), queue.waiting().count()];
        Counts { open, queued, parked: queue.parked().count() }
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

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time since then.
fn age(since: Timestamp) -> Duration {
    Duration::from_millis(Timestamp::now().0.saturating_sub(since.0))
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
