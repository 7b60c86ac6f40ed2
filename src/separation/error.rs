//! What keeps a session from being opened or resumed.

use crate::engine::EngineError;
use crate::model::{ModelCard, ModelError};
use crate::proto::reason::ErrorReason;
use crate::session::failure::SessionError;

/// Why a session is not opened or resumed.
#[derive(Debug, thiserror::Error)]
pub enum SeparationError {
    /// The session itself refuses.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// There is no engine for it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The overlap makes no sense.
    #[error("an overlap of {0:?} is not possible: it must be 0 to {max}", max = ModelCard::MAX_OVERLAP)]
    Overlap(f64),
    /// All places are taken, and so is the queue.
    #[error("{open} sessions are open and {queued} wait, which is all this server takes")]
    QueueFull {
        /// Sessions open.
        open: usize,
        /// Sessions waiting.
        queued: usize,
    },
    /// The disk is nearly full.
    #[error("only {free} bytes are free on the disk")]
    DiskFull {
        /// Bytes free.
        free: u64,
    },
    /// The sessions hold all that they may.
    #[error("the sessions hold {held} of {limit} bytes")]
    StorageFull {
        /// Bytes held.
        held: u64,
        /// The limit.
        limit: u64,
    },
    /// The server is ending.
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
            SeparationError::QueueFull { .. } => ErrorReason::QueueFull,
            SeparationError::DiskFull { .. } => ErrorReason::DiskFull,
            SeparationError::StorageFull { .. } => ErrorReason::StorageFull,
            SeparationError::ShuttingDown => ErrorReason::ShuttingDown,
        }
    }

    /// What to do about it: one sentence.
    pub fn remedy(&self) -> String {
        match self {
            SeparationError::Session(error) => error.remedy(),
            SeparationError::Engine(error) => error.remedy(),
            other => other.reason().remedy().to_owned(),
        }
    }
}

impl From<ModelError> for SeparationError {
    fn from(error: ModelError) -> SeparationError {
        SeparationError::Engine(error.into())
    }
}
