//! Errors of calls on a session.

use std::io;

use super::disk_space::SpaceError;
use super::failure::{Failure, storage_cause, storage_reason, too_large};
use super::leases::{LeaseError, SessionOwner};
use super::replica::ReplicaError;
use super::{Manifest, SessionId, SessionState};
use crate::audio::{Frames, StemName};
use crate::proto::reason::ErrorReason;

/// Error of a call on a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such session.
    #[error("there is no session {0}: it may have been deleted or have expired")]
    NotFound(SessionId),
    /// A later version of this program has written the session.
    #[error(
        "session {session} has version {version}; this server reads up to version {}",
        Manifest::VERSION
    )]
    VersionUnsupported {
        /// The session.
        session: SessionId,
        /// Its version.
        version: u32,
    },
    /// The session's directory cannot be read.
    #[error("session {0} is damaged: its manifest cannot be read")]
    Unreadable(SessionId),
    /// A chunk starts after the end of the bytes held.
    #[error("the chunk starts at byte {offset}, but only {committed} bytes are held")]
    Gap {
        /// Where the chunk starts.
        offset: u64,
        /// Bytes held.
        committed: u64,
    },
    /// A chunk repeats stored bytes with other values.
    #[error("the bytes from offset {offset} differ from the stored ones: they are of another file")]
    Conflict {
        /// Where the chunk starts.
        offset: u64,
    },
    /// More bytes were sent after the end of the upload.
    #[error("the upload is already finished, with {total} bytes")]
    UploadFinished {
        /// Its length.
        total: u64,
    },
    /// The upload is longer than allowed.
    #[error("{}", too_large(*limit).message)]
    UploadTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The upload was finished before all its bytes were received.
    #[error("the upload should have {total} bytes, but only {committed} were received")]
    UploadIncomplete {
        /// The length given.
        total: u64,
        /// Bytes held.
        committed: u64,
    },
    /// More bytes were received than the upload should have.
    #[error("the upload should have {total} bytes, but {committed} were received")]
    UploadSizeMismatch {
        /// The length given.
        total: u64,
        /// Bytes held.
        committed: u64,
    },
    /// The session has failed.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The session has ended and accepts no more bytes.
    #[error("the session has ended {0:?}")]
    Ended(SessionState),
    /// The request id belongs to a session with another config.
    #[error("request_id {request_id} belongs to session {session}, which has another config")]
    RequestConflict {
        /// The request's id.
        request_id: String,
        /// The session that has it.
        session: SessionId,
    },
    /// The session has no such stem.
    #[error("the session has no stem {stem:?}; its stems are {known}")]
    StemUnknown {
        /// The requested stem.
        stem: String,
        /// The stems of the session.
        known: String,
    },
    /// A read starts after the end of the stem.
    #[error("frame {frame} is beyond the end of {stem}, which has {frames} frames")]
    FrameOutOfRange {
        /// The stem.
        stem: StemName,
        /// Where the read starts.
        frame: Frames,
        /// The stem's length.
        frames: Frames,
    },
    /// A limit of the disk space is reached.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The object store is away.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// Another gateway of the cluster has the session.
    #[error("another gateway has session {session}")]
    Elsewhere {
        /// The session.
        session: SessionId,
        /// The gateway.
        owner: SessionOwner,
    },
    /// It cannot be found out which gateway has the session.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// An I/O error of the session directory.
    #[error("{}", storage_cause(.0))]
    Storage(#[from] io::Error),
}

impl SessionError {
    /// The reason on the wire.
    pub fn reason(&self) -> ErrorReason {
        match self {
            SessionError::NotFound(_) => ErrorReason::SessionNotFound,
            SessionError::VersionUnsupported { .. } => ErrorReason::SessionVersionUnsupported,
            SessionError::Unreadable(_) => ErrorReason::StoredDataDamaged,
            SessionError::Gap { .. } => ErrorReason::UploadGap,
            SessionError::Conflict { .. } => ErrorReason::UploadConflict,
            SessionError::UploadFinished { .. } => ErrorReason::UploadFinished,
            SessionError::UploadTooLarge { .. } => ErrorReason::UploadTooLarge,
            SessionError::UploadIncomplete { .. } => ErrorReason::UploadIncomplete,
            SessionError::UploadSizeMismatch { .. } => ErrorReason::UploadSizeMismatch,
            SessionError::Failed(failure) => failure.reason,
            SessionError::Ended(_) => ErrorReason::SessionEnded,
            SessionError::RequestConflict { .. } => ErrorReason::RequestConflict,
            SessionError::StemUnknown { .. } => ErrorReason::StemUnknown,
            SessionError::FrameOutOfRange { .. } => ErrorReason::FrameOutOfRange,
            SessionError::Space(error) => error.reason(),
            SessionError::Replica(_) => ErrorReason::StoreUnavailable,
            SessionError::Elsewhere { .. } => ErrorReason::SessionElsewhere,
            SessionError::Lease(_) => ErrorReason::ClusterUnavailable,
            SessionError::Storage(error) => storage_reason(error),
        }
    }

    /// Whether it is damage of frames that are being recomputed, and so can be read later.
    pub fn is_recomputing(&self) -> bool {
        self.reason() == ErrorReason::Recomputing
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            SessionError::Gap { committed, .. }
            | SessionError::UploadIncomplete { committed, .. } => {
                format!("Continue at byte {committed}.")
            }
            SessionError::Failed(failure) => failure.remedy().to_owned(),
            other => other.reason().remedy().to_owned(),
        }
    }
}
