//! Runs of pipelines: their threads, and the slots without which they compute nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::field::Empty;

use super::executor::Payload;
use super::member::{Member, SharedSlotState, SlotState};
use super::{OpenSession, Scheduler, Slots};
use crate::proto::reason::ErrorReason;
use crate::separation::pipeline::{self, RunOutcome, Slot};
use crate::session::lifecycle::{Event, RunEnd};
use crate::session::{Failure, Session};
use crate::trace;

/// The slot of a session's run.
struct RunSlot<'a> {
    scheduler: &'a Arc<Scheduler>,
    session: &'a Arc<Session>,
    state: Arc<SharedSlotState>,
}

impl Slot for RunSlot<'_> {
    fn is_held(&self) -> bool {
        self.state.get() == SlotState::Held
    }

    fn park(&self) {
        if self.state.get() != SlotState::Parked {
            self.scheduler.park(self.session);
        }
    }

    fn claim(&self) {
        if self.state.get() == SlotState::Parked {
            self.scheduler.claim(self.session);
        }
    }
}

impl Scheduler {
    /// Starts the thread of a session's run, which waits for the scheduler's lock before it ends.
    pub(super) fn start_run(
        self: &Arc<Scheduler>,
        slots: &Slots,
        session: &Arc<Session>,
    ) -> OpenSession {
        let (scheduler, session) = (Arc::clone(self), Arc::clone(session));
        let member = slots.queue.holding().find(|member| Member::is(session.id())(member));
        let Some(state) = member.map(|member| Arc::clone(&member.slot)) else {
            return OpenSession { thread: Err(std::io::Error::other("it has no slot")) };
        };
        let thread = std::thread::Builder::new().name("session".into());
        OpenSession { thread: thread.spawn(move || scheduler.run(&session, state)) }
    }

    /// Runs a session's pipeline and reports how it ended.
    fn run(self: Arc<Scheduler>, session: &Arc<Session>, state: Arc<SharedSlotState>) {
        let slot = RunSlot { scheduler: &self, session, state };
        let span = tracing::info_span!(
            target: trace::TARGET,
            parent: None,
            "separate",
            "session.id" = %session.id(),
            model = session.manifest().plan.model.as_str(),
            otel.status_code = Empty,
            "error.type" = Empty,
        );
        session.trace().adopt(&span);
        let work = || span.in_scope(|| pipeline::run(session, &self.context, &slot));
        // A panic ends one session and releases its slot.
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let text = "internal error while processing this song";
            RunOutcome::Failed(Failure::new(ErrorReason::Internal, text))
        });
        if let RunOutcome::Delayed(failure) | RunOutcome::Failed(failure) = &outcome {
            span.record("error.type", failure.reason.as_str());
            span.record("otel.status_code", "ERROR");
        }
        drop(span);
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

    /// Gives back the slot of a run that can compute nothing until more of its upload arrives.
    fn park(self: &Arc<Scheduler>, session: &Arc<Session>) {
        let mut slots = self.lock();
        if let Some(member) = slots.queue.park(Member::is(session.id())) {
            member.set_slot(SlotState::Parked);
            session.set_queue_position(0);
            self.limit_stuck(&mut slots);
            self.fill(&mut slots);
        }
    }

    /// Claims a slot for a parked run that can compute again.
    fn claim(self: &Arc<Scheduler>, session: &Arc<Session>) {
        let mut slots = self.lock();
        if slots.queue.claim(Member::is(session.id())).is_some() {
            self.fill(&mut slots);
        }
    }

    /// Starts the sessions that have been granted a slot, and publishes the slots and the positions in the queue.
    pub(super) fn fill(self: &Arc<Scheduler>, slots: &mut Slots) {
        while let Some(session) = slots.next_to_start() {
            self.apply_or_log(slots, &session, Event::SlotGranted, Payload::Nothing);
            let started = slots.open.get(&session.id()).map(|open| &open.thread);
            if let Some(Err(error)) = started {
                let failure = Failure::of_start("a thread for the session", error);
                let end = if failure.is_temporary() { RunEnd::Delayed } else { RunEnd::Failed };
                let event = Event::RunEnded(end);
                self.apply_or_log(slots, &session, event, Payload::Failure(failure));
            }
        }
        slots.publish();
    }
}

impl Slots {
    /// The first session that has been granted a slot and does not run; none once the scheduler is closed.
    fn next_to_start(&mut self) -> Option<Arc<Session>> {
        if self.closed {
            return None;
        }
        let member = self.queue.holding_mut().find(|member| !member.has_run)?;
        member.has_run = true;
        member.set_slot(SlotState::Held);
        Some(Arc::clone(&member.session))
    }

    /// Publishes which sessions hold a slot, and the positions of the others.
    fn publish(&self) {
        for member in self.queue.holding() {
            member.session.set_queue_position(0);
            member.set_slot(SlotState::Held);
        }
        for (position, member) in (1..).zip(self.queue.waiting()) {
            member.session.set_queue_position(position);
            member.set_slot(SlotState::Awaited);
        }
    }
}
