//! Failures of sessions, and errors of calls on a session.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Manifest, SessionId, SessionState};
use crate::audio::{Frames, StemName};
use crate::proto::reason::ErrorReason;

/// The failure of a session that ended FAILED; stored in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The reason.
    pub reason: ErrorReason,
    /// The cause. Failures that version 0.1.0 wrote contain the remedy, too.
    pub message: String,
    /// The remedy, where it is more specific than that of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Numbers and names behind the message.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

impl Failure {
    /// A failure without numbers, with the remedy of its reason.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Failure {
        Failure { reason, message: message.into(), remedy: None, details: BTreeMap::new() }
    }

    /// Adds a number.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Failure {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sets a remedy that is more specific than that of the reason: one imperative sentence.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Failure {
        self.remedy = Some(remedy.into());
        self
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &str {
        self.remedy.as_deref().unwrap_or(self.reason.remedy())
    }

    /// The failure for an I/O error of the session directory.
    pub fn of_storage(error: &io::Error) -> Failure {
        Failure::new(storage_reason(error), storage_cause(error))
    }
}

/// DISK_FULL or STORAGE_FAILED.
fn storage_reason(error: &io::Error) -> ErrorReason {
    if error.kind() == io::ErrorKind::StorageFull {
        ErrorReason::DiskFull
    } else {
        ErrorReason::StorageFailed
    }
}

fn storage_cause(error: &io::Error) -> String {
    format!("the session's files cannot be read or written: {error}")
}

/// The failure of an upload that exceeds the limit.
pub(super) fn too_large(limit: u64) -> Failure {
    let cause = format!("the upload exceeds the limit of {limit} bytes");
    Failure::new(ErrorReason::UploadTooLarge, cause).with("limit_bytes", limit)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

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
        /// The stem asked for.
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
            SessionError::Storage(error) => storage_reason(error),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_version_0_1_0_opens_with_the_remedy_of_its_reason() {
        let written = r#"{"reason": "UPLOAD_EMPTY", "message": "the upload has no bytes; send an audio file"}"#;
        let failure: Failure = serde_json::from_str(written).unwrap();
        assert_eq!(failure.message, "the upload has no bytes; send an audio file");
        assert_eq!(failure.remedy(), ErrorReason::UploadEmpty.remedy());
    }

    #[test]
    fn a_remedy_is_kept() {
        let failure = Failure::new(ErrorReason::Internal, "cause").with_remedy("Wait.");
        let kept = serde_json::to_string(&failure).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&kept).unwrap().remedy(), "Wait.");
        let usual = serde_json::to_string(&Failure::new(ErrorReason::Internal, "cause")).unwrap();
        assert!(!usual.contains("remedy"), "{usual}");
    }
}
