//! The lifecycle of a session: its states, the events that change them, and the actions that follow.
//!
//! [`step()`] is a pure function and the only place that decides what happens when a client disconnects, an upload
//! ends, a limit passes, or the server stops. The scheduler reports events and executes the actions under its lock; it
//! owns the [`StateWriter`] without which no state can be changed.
//!
//! ```text
//!   Unscheduled --> Queued --> Open --> Done | Failed
//!                     ^ |       | \
//!                     | v       v  `--> Delayed --> Queued (retry)
//!                   Paused <-- Stopping --> Cancelled | Failed | Queued | Unscheduled | Delayed
//!
//!   Paused --> Failed (resume window)       Done | Failed | Cancelled --> Removed
//!   Done --> Queued (damaged stems)
//! ```
//!
//! A session of a part of a song can be [`State::Done`] while its upload continues: what arrives is stored, and
//! [`Event::UploadFinished`] recorded.

mod state;
mod step;
#[cfg(test)]
mod tests;

pub use state::{Hold, State, StopReason, UploadState};
pub use step::step;

use super::settings::OnDisconnect;

/// An event of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was created.
    Created,
    /// A client, or the server after a restart, resumes it.
    ResumeRequested,
    /// A new call holds the session; the previous call ends.
    TakenOver,
    /// A client watches it.
    WatcherJoined,
    /// A slot is free, and it is first in the queue.
    SlotGranted,
    /// A client sends bytes of the upload.
    BytesArrived,
    /// The client has finished the upload, and its size and hash are correct.
    UploadFinished,
    /// The upload is invalid, too long, or cannot be stored because the disk fails.
    UploadRefused,
    /// An incomplete upload has received no bytes for the idle limit, or is stuck while others need its place.
    UploadIdle,
    /// The call that holds the session broke off.
    ClientLeft {
        /// The policy in the session's settings.
        policy: OnDisconnect,
        /// Whether other clients read the session.
        watched: bool,
    },
    /// A call that only waits for the result of a complete upload broke off.
    WaiterLeft {
        /// The policy in the session's settings.
        policy: OnDisconnect,
        /// Whether other clients read the session.
        watched: bool,
    },
    /// Bytes or the end of the upload were stored for a call that had broken off by then. The outcome is that of the
    /// client's order: first this, then [`Event::ClientLeft`].
    ArrivedLate {
        /// The policy in the session's settings.
        policy: OnDisconnect,
        /// Whether other clients read the session.
        watched: bool,
    },
    /// An upload form broke off before it was complete. Its client has not received the session's id.
    FormAbandoned,
    /// A client cancels it.
    CancelRequested,
    /// A client deletes it. Reported again once its run has ended.
    DeleteRequested,
    /// The pipeline has returned.
    RunEnded(RunEnd),
    /// It is delayed, and the server can continue it.
    RetryDue,
    /// It has been paused for longer than the resume window.
    ResumeWindowPassed,
    /// This server stops.
    ServerStopping,
    /// This server has loaded it from disk.
    ServerRestarted {
        /// Whether it was computed at so many abnormal ends of the server that it may be their cause.
        suspect: bool,
    },
    /// Frames of its stems are damaged, and can be recomputed from its upload.
    DamageFound,
    /// It has ended, has no readers, and retention removes it.
    RetentionExpired,
}

/// How a pipeline returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunEnd {
    /// All stems are complete.
    Done,
    /// It stopped as it was asked to, or because the engines are shutting down.
    Stopped,
    /// It cannot continue as long as a resource of the server is short.
    Delayed,
    /// It cannot continue.
    Failed,
}

/// What the scheduler does after a step, in the order listed. Every change of state also notifies the session's waiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Write the new state. If that fails, the event is refused and the old state stays; always the first action.
    Persist,
    /// Write the new state; it holds in memory even if that fails.
    Settle,
    /// Settle FAILED with this failure.
    Fail(FailureCause),
    /// Remove the files that only a running session needs, once its end is written: a server that is killed in between
    /// must find the end, or all that it continues from.
    RemoveScratch,
    /// Remove the session's directory, once the lock is released.
    RemoveFiles,
    /// Append it to the queue.
    Enqueue,
    /// Take it out of the queue.
    LeaveQueue,
    /// Run the pipeline in a thread of its own, in the slot that was granted.
    StartRun,
    /// Wake the pipeline, which then finds that it is to stop.
    RequestStop,
    /// Release the slot, if the run had one: the run has ended.
    FreeSlot,
    /// Start to measure idle time anew.
    RestartIdleClock,
    /// Make calls that wait for the session return with SHUTTING_DOWN.
    AnnounceShutdown,
}

/// Where the failure of a FAILED session comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// The upload was refused; the session keeps the failure.
    UploadRefused,
    /// The pipeline returned the failure.
    RunFailed,
    /// It was not resumed in time.
    ResumeWindowPassed,
}

/// The permission to change the states of a store's sessions. There is one; the scheduler holds it under its lock.
#[derive(Debug)]
pub struct StateWriter(());

impl StateWriter {
    /// For the store that owns the sessions.
    pub(in crate::session) fn new() -> StateWriter {
        StateWriter(())
    }
}
