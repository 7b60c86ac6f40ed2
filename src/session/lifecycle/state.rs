//! The states of a session, and those of them that its manifest has.

use crate::session::SessionState;

/// The state of a session: its place in the schedule and the state in its manifest ([`State::saved`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not scheduled: just created, just loaded from disk, or left for the next server.
    Unscheduled {
        /// Whether the upload is complete.
        upload: UploadState,
        /// What keeps it from being computed, as in its manifest.
        hold: Hold,
    },
    /// In the queue, without a pipeline.
    Queued(UploadState),
    /// Its pipeline runs: it has a slot, or waits for one again, or for more of the upload.
    Open(UploadState),
    /// Its pipeline has been asked to stop and has not yet stopped.
    Stopping(UploadState, StopReason),
    /// Nothing is computed; it can be resumed until the resume window has passed.
    Paused(UploadState),
    /// Nothing is computed because a resource of the server is short; it is retried after a while, however long that takes.
    /// PAUSED in the manifest, which has the reason.
    Delayed(UploadState),
    /// All stems are complete.
    Done,
    /// It ended with a failure.
    Failed,
    /// A client ended it.
    Cancelled,
    /// Its files are being removed or are gone.
    Removed,
}

/// What keeps a session from being computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Nothing.
    None,
    /// It waits for a client.
    Pause,
    /// It waits for a resource of the server.
    Delay,
}

/// Whether all bytes of an upload have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UploadState {
    /// More bytes may come.
    Receiving,
    /// Finished by the client, with the number of bytes that are stored.
    Complete,
}

/// Why a pipeline was asked to stop, which decides what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The server stops. The next one resumes the session.
    Shutdown,
    /// The session is to be paused.
    Pause,
    /// It was to be paused, and was resumed before it stopped: it returns to the queue.
    Requeue,
    /// A client ends it.
    Cancel,
    /// Its upload was refused: it fails.
    Refuse,
}

impl State {
    /// The state of a session whose manifest has this state; `delayed` if it also has the reason for a delay.
    pub fn loaded(saved: SessionState, upload: UploadState, delayed: bool) -> State {
        match saved {
            SessionState::Uploading => {
                State::Unscheduled { upload: UploadState::Receiving, hold: Hold::None }
            }
            SessionState::Running => {
                State::Unscheduled { upload: UploadState::Complete, hold: Hold::None }
            }
            SessionState::Paused if delayed => State::Unscheduled { upload, hold: Hold::Delay },
            SessionState::Paused => State::Unscheduled { upload, hold: Hold::Pause },
            SessionState::Done => State::Done,
            SessionState::Failed => State::Failed,
            SessionState::Cancelled => State::Cancelled,
        }
    }

    /// The state in the manifest, which is the one on the wire. A session that is removed before it has ended is
    /// CANCELLED for its remaining readers.
    pub fn saved(self) -> SessionState {
        match self {
            State::Unscheduled { hold: Hold::Pause | Hold::Delay, .. }
            | State::Paused(_)
            | State::Delayed(_) => SessionState::Paused,
            State::Unscheduled { upload, hold: Hold::None }
            | State::Queued(upload)
            | State::Open(upload)
            | State::Stopping(upload, _) => match upload {
                UploadState::Receiving => SessionState::Uploading,
                UploadState::Complete => SessionState::Running,
            },
            State::Done => SessionState::Done,
            State::Failed => SessionState::Failed,
            State::Cancelled | State::Removed => SessionState::Cancelled,
        }
    }

    /// Whether its pipeline runs.
    pub fn has_run(self) -> bool {
        match self {
            State::Open(_) | State::Stopping(..) => true,
            State::Unscheduled { .. }
            | State::Queued(_)
            | State::Paused(_)
            | State::Delayed(_)
            | State::Done
            | State::Failed
            | State::Cancelled
            | State::Removed => false,
        }
    }

    /// Whether its pipeline is to stop.
    pub fn is_stopping(self) -> bool {
        matches!(self, State::Stopping(..))
    }

    /// Whether it is delayed: its manifest has the reason.
    pub fn is_delayed(self) -> bool {
        matches!(self, State::Delayed(_) | State::Unscheduled { hold: Hold::Delay, .. })
    }

    /// Whether it is paused or about to be: it needs to be resumed to continue.
    pub fn is_pausing(self) -> bool {
        matches!(
            self,
            State::Paused(_)
                | State::Stopping(_, StopReason::Pause)
                | State::Unscheduled { hold: Hold::Pause, .. }
        )
    }
}

impl UploadState {
    /// `Complete` if the upload has been finished.
    pub fn of(complete: bool) -> UploadState {
        if complete { UploadState::Complete } else { UploadState::Receiving }
    }
}
