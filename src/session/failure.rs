//! Failures of sessions.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::disk_space::SpaceError;
use crate::files::Shortage;
use crate::proto::reason::ErrorReason;
use crate::session::checksums::Damage;
use crate::session::leases::LeaseError;
use crate::session::replica::ReplicaError;

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

/// The detail with the number of bytes that were needed.
const NEEDED_BYTES: &str = "needed_bytes";

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

    /// The failure where no process or thread can be started for the session; `what` is what it would have done.
    pub fn of_start(what: &str, error: &io::Error) -> Failure {
        let reason = match Shortage::of_start(error) {
            Some(Shortage::System) => ErrorReason::SystemLimit,
            Some(Shortage::Disk) => ErrorReason::DiskFull,
            None => ErrorReason::Internal,
        };
        Failure::new(reason, format!("cannot start {what}: {error}"))
    }

    /// Whether the cause passes by itself: a resource of the server is short. The session is paused and does not fail.
    pub fn is_temporary(&self) -> bool {
        [
            ErrorReason::DiskFull,
            ErrorReason::StorageFull,
            ErrorReason::SystemLimit,
            ErrorReason::ProcessKilled,
            ErrorReason::StoreUnavailable,
            ErrorReason::NoWorker,
        ]
        .contains(&self.reason)
    }

    /// Bytes on the disk that were needed, if they were too few.
    pub fn needed_bytes(&self) -> Option<u64> {
        self.details.get(NEEDED_BYTES)?.parse().ok()
    }

    /// The same failure where `bytes` more are needed.
    pub fn needing_more(self, bytes: u64) -> Failure {
        let needed = self.needed_bytes().unwrap_or(0).saturating_add(bytes);
        self.with(NEEDED_BYTES, needed)
    }
}

impl From<SpaceError> for Failure {
    fn from(error: SpaceError) -> Failure {
        let failure = Failure::new(error.reason(), error.to_string());
        let (needed, name, value, limit) = match error {
            SpaceError::DiskFull { needed, free, limit } => (needed, "free_bytes", free, limit),
            SpaceError::StorageFull { needed, held, limit } => (needed, "held_bytes", held, limit),
        };
        failure.with(NEEDED_BYTES, needed).with(name, value).with("limit_bytes", limit)
    }
}

/// The reason for an I/O error of the session directory.
pub(super) fn storage_reason(error: &io::Error) -> ErrorReason {
    if let Some(damage) = Damage::in_error(error) {
        return match damage.recomputing {
            true => ErrorReason::Recomputing,
            false => ErrorReason::StoredDataDamaged,
        };
    }
    if LeaseError::in_error(error).is_some() {
        return ErrorReason::ClusterUnavailable;
    }
    if ReplicaError::in_error(error).is_some() {
        return ErrorReason::StoreUnavailable;
    }
    match Shortage::of(error) {
        Some(Shortage::Disk) => ErrorReason::DiskFull,
        Some(Shortage::System) => ErrorReason::SystemLimit,
        None => ErrorReason::StorageFailed,
    }
}

pub(super) fn storage_cause(error: &io::Error) -> String {
    if let Some(damage) = Damage::in_error(error) {
        return format!("a file of the session is damaged: {damage}");
    }
    if let Some(error) = ReplicaError::in_error(error) {
        return error.to_string();
    }
    if let Some(error) = LeaseError::in_error(error) {
        return error.to_string();
    }
    match Shortage::of(error) {
        Some(Shortage::Disk) => format!("the disk is full: {error}"),
        Some(Shortage::System) => {
            format!("a limit of the operating system is reached: {error}")
        }
        None => format!("the session's files cannot be read or written: {error}"),
    }
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
    fn a_shortage_is_temporary_and_a_fault_of_the_disk_is_not() {
        let of = |kind: io::ErrorKind| Failure::of_storage(&kind.into());
        let full = of(io::ErrorKind::StorageFull);
        assert_eq!((full.reason, full.is_temporary()), (ErrorReason::DiskFull, true));
        let memory = of(io::ErrorKind::OutOfMemory);
        assert_eq!((memory.reason, memory.is_temporary()), (ErrorReason::SystemLimit, true));
        assert!(!memory.message.contains("files cannot"), "it is no fault of the disk");
        let broken = of(io::ErrorKind::ReadOnlyFilesystem);
        assert_eq!((broken.reason, broken.is_temporary()), (ErrorReason::StorageFailed, false));
        let stored = Failure::from(SpaceError::StorageFull { needed: 3, held: 2, limit: 4 });
        assert!(stored.is_temporary() && stored.details["held_bytes"] == "2");
        assert_eq!((stored.needed_bytes(), full.needed_bytes()), (Some(3), None));
        assert_eq!(stored.needing_more(5).needed_bytes(), Some(8));
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
