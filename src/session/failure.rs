//! Failures of sessions.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

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
pub(super) fn storage_reason(error: &io::Error) -> ErrorReason {
    if error.kind() == io::ErrorKind::StorageFull {
        ErrorReason::DiskFull
    } else {
        ErrorReason::StorageFailed
    }
}

pub(super) fn storage_cause(error: &io::Error) -> String {
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
