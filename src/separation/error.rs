//! Errors of opening and resuming sessions.

use std::net::IpAddr;

use crate::engine::EngineError;
use crate::model::{ModelCard, ModelError};
use crate::proto::reason::ErrorReason;
use crate::session::SessionError;
use crate::session::disk_space::SpaceError;

/// Error of opening or resuming a session.
#[derive(Debug, thiserror::Error)]
pub enum SeparationError {
    /// Error of the session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No engine can compute the session.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The overlap is out of range.
    #[error("the overlap {0:?} is out of range: it must be 0 to {max}", max = ModelCard::MAX_OVERLAP)]
    Overlap(f64),
    /// All slots and all positions in the queue are taken.
    #[error("all slots and the queue are full: {open} sessions are open, {queued} are queued")]
    QueueFull {
        /// Open sessions.
        open: usize,
        /// Queued sessions.
        queued: usize,
    },
    /// The workers of the cluster have too much to do.
    #[error("the workers have {queued} segments to compute, and compute {lanes} at a time")]
    BacklogFull {
        /// Segments in their queue.
        queued: u64,
        /// Segments that they compute at a time.
        lanes: usize,
    },
    /// The client has its share of slots, positions in the queue and uploads that have hardly begun.
    #[error(
        "the client {client} has {sessions} sessions that compute, are queued, or wait for the first bytes of their upload, as many as one client may have"
    )]
    ClientFull {
        /// Its address.
        client: IpAddr,
        /// Its sessions.
        sessions: usize,
    },
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl SeparationError {
    /// The reason on the wire.
    pub fn reason(&self) -> ErrorReason {
        match self {
            SeparationError::Session(error) => error.reason(),
            SeparationError::Engine(error) => error.reason(),
            SeparationError::Overlap(_) => ErrorReason::ConfigInvalid,
            SeparationError::QueueFull { .. }
            | SeparationError::BacklogFull { .. }
            | SeparationError::ClientFull { .. } => ErrorReason::QueueFull,
            SeparationError::ShuttingDown => ErrorReason::ShuttingDown,
        }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            SeparationError::Session(error) => error.remedy(),
            SeparationError::Engine(error) => error.remedy(),
            SeparationError::ClientFull { .. } => {
                "Try again when one of them is done, or start the server with a larger --max-client-sessions.".into()
            }
            SeparationError::BacklogFull { .. } => {
                "Try again later, or start more workers.".into()
            }
            other => other.reason().remedy().to_owned(),
        }
    }
}

impl From<SpaceError> for SeparationError {
    fn from(error: SpaceError) -> SeparationError {
        SeparationError::Session(error.into())
    }
}

impl From<ModelError> for SeparationError {
    fn from(error: ModelError) -> SeparationError {
        SeparationError::Engine(error.into())
    }
}
