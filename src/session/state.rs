//! The state of a session, as clients see it.

use serde::{Deserialize, Serialize};

/// The state of a session, as stored and as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionState {
    /// The upload is incomplete; the bytes that have arrived are separated.
    Uploading,
    /// The upload is complete and being separated.
    Running,
    /// Nothing is computed; it can be resumed.
    Paused,
    /// All stems are complete.
    Done,
    /// It ended with a failure.
    Failed,
    /// A client cancelled it.
    Cancelled,
}

impl SessionState {
    /// Whether it is DONE, FAILED or CANCELLED.
    pub fn is_ended(self) -> bool {
        match self {
            SessionState::Done | SessionState::Failed | SessionState::Cancelled => true,
            SessionState::Uploading | SessionState::Running | SessionState::Paused => false,
        }
    }

    /// The name on the wire, in `UPPER_SNAKE`.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionState::Uploading => "UPLOADING",
            SessionState::Running => "RUNNING",
            SessionState::Paused => "PAUSED",
            SessionState::Done => "DONE",
            SessionState::Failed => "FAILED",
            SessionState::Cancelled => "CANCELLED",
        }
    }
}
