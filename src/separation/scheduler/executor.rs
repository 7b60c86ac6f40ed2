//! Executes the actions of the lifecycle, under the scheduler's lock.

use std::io;
use std::sync::Arc;

use super::member::Member;
use super::{Scheduler, Slots};
use crate::proto::reason::ErrorReason;
use crate::session::lifecycle::{Action, Event, FailureCause, State, step};
use crate::session::{Failure, Manifest, Session};

/// Data of an event.
pub(super) enum Payload<'a> {
    Nothing,
    /// The failure of a run, or why it is delayed.
    Failure(Failure),
    /// The reason of a delay, and what is written with the new state.
    FailureAndNote(Failure, &'a dyn Fn(&mut Manifest)),
    /// Written with the new state.
    Note(&'a dyn Fn(&mut Manifest)),
}

/// The effect of an event.
#[derive(Debug, Clone, Copy)]
pub(in crate::separation) struct Reported {
    pub(in crate::separation) after: State,
    /// Whether the caller must remove the session's files, without the lock.
    pub(in crate::separation) removes_files: bool,
}

impl Scheduler {
    /// Reports an event and fills free slots.
    ///
    /// # Errors
    /// I/O errors where the new state must be written; then nothing has changed.
    pub(in crate::separation) fn report(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: Event,
    ) -> io::Result<Reported> {
        self.report_with(session, || Some(event))
    }

    /// Reports the event that `event` returns under the lock, if any.
    pub(in crate::separation) fn report_with(
        self: &Arc<Scheduler>,
        session: &Arc<Session>,
        event: impl FnOnce() -> Option<Event>,
    ) -> io::Result<Reported> {
        let mut slots = self.lock();
        let Some(event) = event() else {
            return Ok(Reported { after: session.lifecycle(), removes_files: false });
        };
        let reported = self.apply(&mut slots, session, event, Payload::Nothing)?;
        self.fill(&mut slots);
        Ok(reported)
    }

    /// Steps a session's state and executes the actions.
    pub(super) fn apply(
        self: &Arc<Scheduler>,
        slots: &mut Slots,
        session: &Arc<Session>,
        event: Event,
        payload: Payload<'_>,
    ) -> io::Result<Reported> {
        let before = session.lifecycle();
        let (after, actions) = step(before, event);
        let mut reported = Reported { after, removes_files: false };
        if after == before && actions.is_empty() {
            return Ok(reported);
        }
        let note = |manifest: &mut Manifest| {
            if let Payload::Note(note) | Payload::FailureAndNote(_, note) = &payload {
                note(manifest);
            }
        };
        let mut change = session.change_state(&slots.writer, after);
        if let Payload::Failure(failure) | Payload::FailureAndNote(failure, _) = &payload
            && matches!(after, State::Delayed(_))
        {
            tracing::warn!(session = %session.id(), reason = %failure, "session delayed");
            change.set_delay(failure.clone());
            slots.delays.begin(session, failure);
        }
        for action in actions {
            match action {
                Action::Persist => change.persist(note)?,
                Action::Settle => change.settle(note),
                Action::Fail(cause) => {
                    let failure = failure_of(*cause, session, &payload);
                    tracing::warn!(session = %session.id(), %failure, "session failed");
                    change.settle(|manifest| {
                        note(manifest);
                        manifest.failure = Some(failure);
                    });
                }
                Action::RemoveScratch => change.remove_scratch(),
                Action::RemoveFiles => reported.removes_files = true,
                Action::Enqueue => slots.queue.admit(Member::new(session)),
                Action::LeaveQueue => slots.queue.remove(Member::is(session.id())),
                Action::StartRun => {
                    session.set_queue_position(0);
                    let open = self.start_run(slots, session);
                    slots.open.insert(session.id(), open);
                }
                // Publishing the new state wakes it.
                Action::RequestStop => {}
                Action::FreeSlot => {
                    slots.queue.remove(Member::is(session.id()));
                    let open = slots.open.remove(&session.id());
                    slots.ended.extend(open.and_then(|open| open.thread.ok()));
                    self.freed.notify_all();
                }
                Action::RestartIdleClock => change.restart_idle_clock(),
                Action::AnnounceShutdown => change.announce_shutdown(),
            }
        }
        change.publish();
        if after.saved().is_ended() {
            slots.delays.end(session.id());
        }
        Ok(reported)
    }

    /// Steps a session's state; an error of writing it is logged.
    pub(super) fn apply_or_log(
        self: &Arc<Scheduler>,
        slots: &mut Slots,
        session: &Arc<Session>,
        event: Event,
        payload: Payload<'_>,
    ) -> Reported {
        match self.apply(slots, session, event, payload) {
            Ok(reported) => reported,
            Err(error) => {
                tracing::error!(session = %session.id(), ?event, %error, "cannot write the state");
                Reported { after: session.lifecycle(), removes_files: false }
            }
        }
    }
}

fn failure_of(cause: FailureCause, session: &Session, payload: &Payload<'_>) -> Failure {
    let given = match cause {
        FailureCause::UploadRefused => session.refusal(),
        FailureCause::RunFailed => match payload {
            Payload::Failure(failure) | Payload::FailureAndNote(failure, _) => {
                Some(failure.clone())
            }
            Payload::Nothing | Payload::Note(_) => None,
        },
        FailureCause::ResumeWindowPassed => Some(Failure::new(
            ErrorReason::ResumeWindowEnded,
            "the session was not resumed within the resume window",
        )),
    };
    given.unwrap_or_else(|| {
        Failure::new(ErrorReason::Internal, "the session failed without a reason")
    })
}
