//! The table of the lifecycle: one section per event, one line per group of states that it treats alike.

use super::Action::*;
use super::FailureCause::*;
use super::RunEnd;
use super::State::{self, *};
use super::StopReason::*;
use super::UploadState::*;
use super::{Action, Event, Hold};
use crate::session::settings::OnDisconnect;

/// The state after an event, and the actions that lead there, in order.
///
/// Pairs that change nothing are listed with [`unchanged`]; among them are those that cannot occur, such as the end of a
/// run that there is not.
pub fn step(state: State, event: Event) -> (State, &'static [Action]) {
    match event {
        // Schedules the session unless it is scheduled or has ended.
        Event::Created | Event::ResumeRequested | Event::TakenOver => match state {
            Unscheduled { upload, hold: Hold::None } => {
                (Queued(upload), &[RestartIdleClock, Enqueue])
            }
            Unscheduled { upload, hold: Hold::Pause } | Paused(upload) => resumed(upload),
            Stopping(upload, Pause) => (Stopping(upload, Requeue), &[]),
            // It continues by itself.
            Unscheduled { upload: _, hold: Hold::Delay } | Delayed(_) => unchanged(state),
            Queued(_) | Open(_) | Stopping(_, Shutdown | Requeue | Cancel | Refuse) => {
                unchanged(state)
            }
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // A watcher resumes a complete upload; an incomplete one stays paused until its sender returns.
        Event::WatcherJoined => match state {
            Unscheduled { upload: Complete, hold: Hold::None } => {
                (Queued(Complete), &[RestartIdleClock, Enqueue])
            }
            Unscheduled { upload: Complete, hold: Hold::Pause } | Paused(Complete) => {
                resumed(Complete)
            }
            Stopping(Complete, Pause) => (Stopping(Complete, Requeue), &[]),
            Unscheduled { upload: Receiving, hold: _ } => unchanged(state),
            Unscheduled { upload: Complete, hold: Hold::Delay } | Delayed(_) => unchanged(state),
            Paused(Receiving) | Stopping(Receiving, Pause) => unchanged(state),
            Queued(_) | Open(_) | Stopping(_, Shutdown | Requeue | Cancel | Refuse) => {
                unchanged(state)
            }
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        Event::SlotGranted => match state {
            Queued(upload) => (Open(upload), &[RestartIdleClock, StartRun]),
            Unscheduled { .. } | Open(_) | Stopping(..) => unchanged(state),
            Paused(_) | Delayed(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // Bytes resume a paused session, also bytes that repeat stored ones: the sender is back.
        Event::BytesArrived => match state {
            Unscheduled { upload, hold: Hold::Pause } | Paused(upload) => resumed(upload),
            Stopping(upload, Pause) => (Stopping(upload, Requeue), &[]),
            Unscheduled { upload: _, hold: Hold::None | Hold::Delay } => unchanged(state),
            Queued(_) | Open(_) | Delayed(_) => unchanged(state),
            Stopping(_, Shutdown | Requeue | Cancel | Refuse) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // UploadFinished does not resume: that is an event of its own, which a full queue can refuse. A session of a part of
        // a song is DONE, or computed again, before its upload ends; the end is recorded all the same.
        Event::UploadFinished => match state {
            Unscheduled { upload: Receiving, hold } => {
                (Unscheduled { upload: Complete, hold }, &[Persist])
            }
            Queued(Receiving) => (Queued(Complete), &[Persist]),
            Open(Receiving) => (Open(Complete), &[Persist]),
            Stopping(Receiving, reason) => (Stopping(Complete, reason), &[Persist]),
            Paused(Receiving) => (Paused(Complete), &[Persist]),
            Delayed(Receiving) => (Delayed(Complete), &[Persist]),
            Unscheduled { upload: Complete, hold: _ } => (state, &[Persist]),
            Queued(Complete) | Open(Complete) | Stopping(Complete, _) => (state, &[Persist]),
            Paused(Complete) | Delayed(Complete) | Done => (state, &[Persist]),
            Failed | Cancelled | Removed => unchanged(state),
        },

        // A refused upload fails the session, whatever it was stopping for.
        Event::UploadRefused => match state {
            Unscheduled { .. } | Paused(_) | Delayed(_) => {
                (Failed, &[Fail(UploadRefused), RemoveScratch])
            }
            Queued(_) => (Failed, &[LeaveQueue, Fail(UploadRefused), RemoveScratch]),
            Open(upload) => (Stopping(upload, Refuse), &[RequestStop]),
            Stopping(upload, Shutdown | Pause | Requeue | Cancel) => {
                (Stopping(upload, Refuse), &[])
            }
            Stopping(_, Refuse) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // An incomplete upload is paused even if it is watched; a complete one continues for its watchers.
        Event::UploadIdle | Event::ClientLeft { policy: OnDisconnect::Pause, watched: true } => {
            match state {
                Queued(Receiving) => (Paused(Receiving), &[LeaveQueue, Settle]),
                Open(Receiving) => (Stopping(Receiving, Pause), &[RequestStop]),
                Stopping(Receiving, Requeue) => (Stopping(Receiving, Pause), &[]),
                Delayed(Receiving) => (Paused(Receiving), &[Settle]),
                Queued(Complete) | Open(Complete) | Stopping(Complete, Requeue) => unchanged(state),
                Delayed(Complete) => unchanged(state),
                // During a shutdown the server itself closed the call.
                Unscheduled { .. } | Stopping(_, Shutdown) => unchanged(state),
                Stopping(_, Pause | Cancel | Refuse) | Paused(_) => unchanged(state),
                Done | Failed | Cancelled | Removed => unchanged(state),
            }
        }
        Event::ClientLeft { policy: OnDisconnect::Pause, watched: false }
        | Event::WaiterLeft { policy: OnDisconnect::Pause, watched: false } => match state {
            Queued(upload) => (Paused(upload), &[LeaveQueue, Settle]),
            Open(upload) => (Stopping(upload, Pause), &[RequestStop]),
            Stopping(upload, Requeue) => (Stopping(upload, Pause), &[]),
            Delayed(upload) => (Paused(upload), &[Settle]),
            Unscheduled { .. } | Stopping(_, Shutdown) => unchanged(state),
            Stopping(_, Pause | Cancel | Refuse) | Paused(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },
        Event::ClientLeft { policy: OnDisconnect::Cancel, watched: true | false }
        | Event::WaiterLeft { policy: OnDisconnect::Cancel, watched: false } => match state {
            Queued(_) => (Cancelled, &[LeaveQueue, Settle, RemoveScratch]),
            Open(upload) => (Stopping(upload, Cancel), &[RequestStop]),
            Stopping(upload, Pause | Requeue) => (Stopping(upload, Cancel), &[]),
            Paused(_) | Delayed(_) => (Cancelled, &[Settle, RemoveScratch]),
            Unscheduled { .. } | Stopping(_, Shutdown) => unchanged(state),
            Stopping(_, Cancel | Refuse) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },
        // The call only waited for the result, so the policy applies unless others read the session.
        Event::WaiterLeft { policy: OnDisconnect::Pause | OnDisconnect::Cancel, watched: true } => {
            unchanged(state)
        }
        Event::ClientLeft { policy: OnDisconnect::Continue, watched: true | false }
        | Event::WaiterLeft { policy: OnDisconnect::Continue, watched: true | false } => {
            unchanged(state)
        }

        // The same outcome as if the bytes had arrived before the call broke off.
        Event::ArrivedLate { policy: OnDisconnect::Continue, watched: true | false } => {
            step(state, Event::ResumeRequested)
        }
        Event::ArrivedLate { policy: OnDisconnect::Pause, watched: true } => {
            step(state, Event::WatcherJoined)
        }
        Event::ArrivedLate { policy: OnDisconnect::Pause, watched: false }
        | Event::ArrivedLate { policy: OnDisconnect::Cancel, watched: true | false } => {
            unchanged(state)
        }

        // A session that has failed by itself stays and reports why. No client has the id of one that is done.
        Event::FormAbandoned => match state {
            Failed | Cancelled => unchanged(state),
            Done => step(state, Event::DeleteRequested),
            Unscheduled { .. } | Queued(_) | Open(_) | Stopping(..) => {
                step(state, Event::DeleteRequested)
            }
            Paused(_) | Delayed(_) | Removed => step(state, Event::DeleteRequested),
        },

        Event::CancelRequested => match state {
            Unscheduled { .. } | Paused(_) | Delayed(_) => (Cancelled, &[Settle, RemoveScratch]),
            Queued(_) => (Cancelled, &[LeaveQueue, Settle, RemoveScratch]),
            Open(upload) => (Stopping(upload, Cancel), &[RequestStop]),
            Stopping(upload, Shutdown | Pause | Requeue) => (Stopping(upload, Cancel), &[]),
            Stopping(_, Cancel | Refuse) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // A session that runs is cancelled first. Watchers receive CANCELLED before its files are removed.
        Event::DeleteRequested => match state {
            Unscheduled { .. } | Paused(_) | Delayed(_) => {
                (Removed, &[Settle, RemoveScratch, RemoveFiles])
            }
            Queued(_) => (Removed, &[LeaveQueue, Settle, RemoveScratch, RemoveFiles]),
            Open(upload) => (Stopping(upload, Cancel), &[RequestStop]),
            Stopping(upload, Shutdown | Pause | Requeue) => (Stopping(upload, Cancel), &[]),
            Stopping(_, Cancel | Refuse) => unchanged(state),
            Done | Failed | Cancelled => (Removed, &[RemoveFiles]),
            Removed => unchanged(state),
        },

        // The result counts even if the run was to stop.
        Event::RunEnded(RunEnd::Done) => match state {
            Open(_) | Stopping(_, Shutdown | Pause | Requeue | Cancel) => {
                (Done, &[Persist, RemoveScratch, FreeSlot])
            }
            Stopping(_, Refuse) => refused(),
            Unscheduled { .. } | Queued(_) | Paused(_) | Delayed(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },
        Event::RunEnded(RunEnd::Failed) => match state {
            Open(_) | Stopping(_, Shutdown | Pause | Requeue | Cancel) => {
                (Failed, &[Fail(RunFailed), RemoveScratch, FreeSlot])
            }
            Stopping(_, Refuse) => refused(),
            Unscheduled { .. } | Queued(_) | Paused(_) | Delayed(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },
        // The state on disk stays, so that the next server continues from it.
        Event::RunEnded(RunEnd::Stopped) => match state {
            Open(upload) | Stopping(upload, Shutdown) => {
                (Unscheduled { upload, hold: Hold::None }, &[FreeSlot])
            }
            Stopping(upload, Pause) => (Paused(upload), &[Settle, FreeSlot]),
            Stopping(upload, Requeue) => (Queued(upload), &[FreeSlot, Enqueue]),
            Stopping(_, Cancel) => (Cancelled, &[Settle, RemoveScratch, FreeSlot]),
            Stopping(_, Refuse) => refused(),
            Unscheduled { .. } | Queued(_) | Paused(_) | Delayed(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // It is not the session's fault, so nothing is taken from it, and it is tried again.
        Event::RunEnded(RunEnd::Delayed) => match state {
            Open(upload) | Stopping(upload, Requeue) => (Delayed(upload), &[Settle, FreeSlot]),
            Stopping(_, Shutdown | Pause | Cancel | Refuse) => {
                step(state, Event::RunEnded(RunEnd::Stopped))
            }
            Unscheduled { .. } | Queued(_) | Paused(_) | Delayed(_) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },
        Event::RetryDue => match state {
            Delayed(upload) => resumed(upload),
            Unscheduled { .. } | Queued(_) | Open(_) | Stopping(..) => unchanged(state),
            Paused(_) | Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // A session that the server has delayed has not been left by its client.
        Event::ResumeWindowPassed => match state {
            Paused(_) => (Failed, &[Fail(ResumeWindowPassed), RemoveScratch]),
            Delayed(_) => unchanged(state),
            Unscheduled { .. } | Queued(_) | Open(_) | Stopping(..) => unchanged(state),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        Event::ServerStopping => match state {
            Queued(upload) => {
                (Unscheduled { upload, hold: Hold::None }, &[LeaveQueue, AnnounceShutdown])
            }
            Open(upload) => (Stopping(upload, Shutdown), &[RequestStop, AnnounceShutdown]),
            Stopping(upload, Requeue) => (Stopping(upload, Shutdown), &[AnnounceShutdown]),
            Stopping(_, Shutdown | Pause | Cancel | Refuse) => (state, &[AnnounceShutdown]),
            Paused(upload) => (Unscheduled { upload, hold: Hold::Pause }, &[AnnounceShutdown]),
            Delayed(upload) => (Unscheduled { upload, hold: Hold::Delay }, &[AnnounceShutdown]),
            Unscheduled { .. } => (state, &[AnnounceShutdown]),
            Done | Failed | Cancelled | Removed => unchanged(state),
        },

        // The server resumes complete uploads, oldest first, once all are loaded; the others wait for their senders.
        Event::ServerRestarted { suspect } => match (state, suspect) {
            (Unscheduled { upload: Complete, hold: Hold::None }, false) => (state, &[Settle]),
            (Unscheduled { upload: Complete, hold: Hold::None }, true) => {
                (Delayed(Complete), &[Settle])
            }
            (Unscheduled { upload: Receiving, hold: Hold::None }, true | false) => {
                (Paused(Receiving), &[Settle])
            }
            (Unscheduled { upload, hold: Hold::Pause }, true | false) => (Paused(upload), &[]),
            (Unscheduled { upload: Complete, hold: Hold::Delay }, true | false) => {
                (Delayed(Complete), &[])
            }
            (Unscheduled { upload: Receiving, hold: Hold::Delay }, true | false) => {
                (Paused(Receiving), &[Settle])
            }
            (Queued(_) | Open(_) | Stopping(..), true | false) => unchanged(state),
            (Paused(_) | Delayed(_), true | false) => unchanged(state),
            (Done | Failed | Cancelled | Removed, true | false) => unchanged(state),
        },

        // The pipeline checks the stems when it starts, and notices later damage itself.
        Event::DamageFound => match state {
            Done => (Queued(Complete), &[Persist, RestartIdleClock, Enqueue]),
            Unscheduled { .. } | Queued(_) | Open(_) | Stopping(..) => unchanged(state),
            Paused(_) | Delayed(_) | Failed | Cancelled | Removed => unchanged(state),
        },

        Event::RetentionExpired => match state {
            Done | Failed | Cancelled => (Removed, &[RemoveFiles]),
            Unscheduled { .. } | Queued(_) | Open(_) | Stopping(..) => unchanged(state),
            Paused(_) | Delayed(_) | Removed => unchanged(state),
        },
    }
}

/// A pair that is ignored or cannot occur.
fn unchanged(state: State) -> (State, &'static [Action]) {
    (state, &[])
}

/// A paused or delayed session goes to the queue, and is UPLOADING or RUNNING again.
fn resumed(upload: super::UploadState) -> (State, &'static [Action]) {
    (Queued(upload), &[Persist, RestartIdleClock, Enqueue])
}

/// The end of a run whose upload was refused, whatever the run returned.
fn refused() -> (State, &'static [Action]) {
    (Failed, &[Fail(UploadRefused), RemoveScratch, FreeSlot])
}
