//! The lifecycle against a table that was written independently of the code, and under random events.

mod properties;
mod table;

use super::*;

/// Every state, with the name that the tables use: a letter, and `-` or `+` for an incomplete or complete upload.
pub(super) const STATES: [(&str, State); 28] = {
    use StopReason::{Cancel, Pause, Refuse, Requeue, Shutdown};
    use UploadState::{Complete, Receiving};
    [
        ("u-", State::Unscheduled { upload: Receiving, hold: Hold::None }),
        ("u+", State::Unscheduled { upload: Complete, hold: Hold::None }),
        ("z-", State::Unscheduled { upload: Receiving, hold: Hold::Pause }),
        ("z+", State::Unscheduled { upload: Complete, hold: Hold::Pause }),
        ("y-", State::Unscheduled { upload: Receiving, hold: Hold::Delay }),
        ("y+", State::Unscheduled { upload: Complete, hold: Hold::Delay }),
        ("q-", State::Queued(Receiving)),
        ("q+", State::Queued(Complete)),
        ("o-", State::Open(Receiving)),
        ("o+", State::Open(Complete)),
        ("s-", State::Stopping(Receiving, Shutdown)),
        ("s+", State::Stopping(Complete, Shutdown)),
        ("p-", State::Stopping(Receiving, Pause)),
        ("p+", State::Stopping(Complete, Pause)),
        ("r-", State::Stopping(Receiving, Requeue)),
        ("r+", State::Stopping(Complete, Requeue)),
        ("c-", State::Stopping(Receiving, Cancel)),
        ("c+", State::Stopping(Complete, Cancel)),
        ("f-", State::Stopping(Receiving, Refuse)),
        ("f+", State::Stopping(Complete, Refuse)),
        ("w-", State::Paused(Receiving)),
        ("w+", State::Paused(Complete)),
        ("d-", State::Delayed(Receiving)),
        ("d+", State::Delayed(Complete)),
        ("D", State::Done),
        ("F", State::Failed),
        ("C", State::Cancelled),
        ("X", State::Removed),
    ]
};

/// Every event, with the name that the tables use. For a broken call: its policy, and `+` if others read the session.
pub(super) const EVENTS: [(&str, Event); 41] = {
    use Event::*;
    use OnDisconnect::{Cancel, Continue, Pause};
    [
        ("created", Created),
        ("resume", ResumeRequested),
        ("take-over", TakenOver),
        ("watcher", WatcherJoined),
        ("slot", SlotGranted),
        ("bytes", BytesArrived),
        ("finished", UploadFinished),
        ("refused", UploadRefused),
        ("idle", UploadIdle),
        ("left-pause", ClientLeft { policy: Pause, watched: false }),
        ("left-pause+", ClientLeft { policy: Pause, watched: true }),
        ("left-continue", ClientLeft { policy: Continue, watched: false }),
        ("left-continue+", ClientLeft { policy: Continue, watched: true }),
        ("left-cancel", ClientLeft { policy: Cancel, watched: false }),
        ("left-cancel+", ClientLeft { policy: Cancel, watched: true }),
        ("wait-pause", WaiterLeft { policy: Pause, watched: false }),
        ("wait-pause+", WaiterLeft { policy: Pause, watched: true }),
        ("wait-continue", WaiterLeft { policy: Continue, watched: false }),
        ("wait-continue+", WaiterLeft { policy: Continue, watched: true }),
        ("wait-cancel", WaiterLeft { policy: Cancel, watched: false }),
        ("wait-cancel+", WaiterLeft { policy: Cancel, watched: true }),
        ("late-pause", ArrivedLate { policy: Pause, watched: false }),
        ("late-pause+", ArrivedLate { policy: Pause, watched: true }),
        ("late-continue", ArrivedLate { policy: Continue, watched: false }),
        ("late-continue+", ArrivedLate { policy: Continue, watched: true }),
        ("late-cancel", ArrivedLate { policy: Cancel, watched: false }),
        ("late-cancel+", ArrivedLate { policy: Cancel, watched: true }),
        ("abandoned", FormAbandoned),
        ("cancel", CancelRequested),
        ("delete", DeleteRequested),
        ("run-done", RunEnded(RunEnd::Done)),
        ("run-stopped", RunEnded(RunEnd::Stopped)),
        ("run-delayed", RunEnded(RunEnd::Delayed)),
        ("run-failed", RunEnded(RunEnd::Failed)),
        ("retry", RetryDue),
        ("window", ResumeWindowPassed),
        ("stopping", ServerStopping),
        ("restarted", ServerRestarted { suspect: false }),
        ("suspect", ServerRestarted { suspect: true }),
        ("damaged", DamageFound),
        ("retention", RetentionExpired),
    ]
};

/// The name of a state in the tables.
pub(super) fn name(state: State) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("?", |(name, _)| name)
}

/// Fails to compile when a variant is added: the lists above are written by hand and need it.
#[allow(dead_code)]
fn every_variant_is_listed(state: State, event: Event, end: RunEnd, reason: StopReason) {
    match state {
        State::Unscheduled {
            upload: UploadState::Receiving | UploadState::Complete,
            hold: Hold::None | Hold::Pause | Hold::Delay,
        }
        | State::Queued(_)
        | State::Open(_)
        | State::Stopping(..)
        | State::Paused(_)
        | State::Delayed(_)
        | State::Done
        | State::Failed
        | State::Cancelled
        | State::Removed => {}
    }
    match event {
        Event::Created
        | Event::ResumeRequested
        | Event::TakenOver
        | Event::WatcherJoined
        | Event::SlotGranted
        | Event::BytesArrived
        | Event::UploadFinished
        | Event::UploadRefused
        | Event::UploadIdle
        | Event::ClientLeft { policy: _, watched: _ }
        | Event::WaiterLeft { policy: _, watched: _ }
        | Event::ArrivedLate { policy: _, watched: _ }
        | Event::FormAbandoned
        | Event::CancelRequested
        | Event::DeleteRequested
        | Event::RunEnded(_)
        | Event::RetryDue
        | Event::ResumeWindowPassed
        | Event::ServerStopping
        | Event::ServerRestarted { suspect: _ }
        | Event::DamageFound
        | Event::RetentionExpired => {}
    }
    match end {
        RunEnd::Done | RunEnd::Stopped | RunEnd::Delayed | RunEnd::Failed => {}
    }
    match reason {
        StopReason::Shutdown
        | StopReason::Pause
        | StopReason::Requeue
        | StopReason::Cancel
        | StopReason::Refuse => {}
    }
}
