//! The parts of a manifest.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::audio::{Frames, StemName};
use crate::session::checksums::{Checksums, Prefix};
use crate::session::engines::is_default;

/// A point in time, in milliseconds since 1970 (UTC).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The current time.
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The end of an upload. Until it is finished, its length is that of the file.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Its length in bytes, once finished.
    pub total: Option<u64>,
    /// Its SHA-256 in hexadecimal, if the client sent one; it has been verified.
    pub sha256: Option<String>,
    /// The checksum of the bytes stored when the manifest was last written. Manifests of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Prefix>,
}

/// What a client has announced of an upload before its end, over the tus protocol.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Announced {
    /// Its length in bytes.
    pub length: Option<u64>,
    /// Its metadata, as the client sent them.
    pub metadata: Option<String>,
}

impl Announced {
    pub(super) fn is_empty(&self) -> bool {
        *self == Announced::default()
    }
}

/// What has been computed and synced to disk.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Number of finished segments.
    pub segments: u64,
    /// Frames of the decoded track that are synced to disk.
    pub track: Frames,
    /// Frames of each stem that are synced to disk.
    pub stems: Frames,
    /// Whether the overlap state `carry.<segments>` exists.
    #[serde(rename = "carry")]
    pub overlap_state: bool,
    /// Whether that file is not there: the session continues without the frames that earlier segments share with the next,
    /// which are committed already. Then `overlap_state` is set, so that versions which do not know this fail the session.
    #[serde(default, rename = "carry_lost", skip_serializing_if = "is_default")]
    pub overlap_lost: bool,
    /// CRC32C of the committed frames of the track. Manifests of 0.1.0 have no checksums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_crc32c: Option<u32>,
    /// CRC32C of the overlap state.
    #[serde(default, rename = "carry_crc32c", skip_serializing_if = "Option::is_none")]
    pub overlap_crc32c: Option<u32>,
    /// Checksums of the committed frames of the stems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksums: Option<Checksums>,
    /// The silent passages that the committed frames of the track determine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Prefix>,
}

/// One stem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stem {
    /// Its name.
    pub name: StemName,
    /// Largest absolute sample so far.
    pub peak: f32,
    /// SHA-256 of its samples in hexadecimal, once final.
    pub sha256: Option<String>,
}
