//! The keys of a session's objects.

use std::fmt;
use std::str::FromStr;

use crate::session::SessionId;

/// The folder of all sessions.
pub(super) const SESSIONS: &str = "sessions";

/// The keys of one session:
///
/// ```text
/// manifest/N                 its manifests, in order: each but the last is emptied
/// upload/START-END.OWNER     bytes of the upload
/// stems/START-END.OWNER      frames of all stems, stem by stem in the plan's order
/// carry/SEGMENTS.OWNER       the overlap state
/// cover/CRC32C               the cover picture
/// checksums/CRC32C           those of the stems of a session that has ended, as in its directory
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys(pub(super) SessionId);

impl Keys {
    pub(super) fn folder(self) -> String {
        format!("{SESSIONS}/{}", self.0)
    }

    pub(super) fn manifests(self) -> String {
        format!("{}/manifest", self.folder())
    }

    pub(super) fn manifest(self, number: u64) -> String {
        format!("{}/{number:010}", self.manifests())
    }

    pub(super) fn uploads(self) -> String {
        format!("{}/upload", self.folder())
    }

    pub(super) fn upload(self, piece: &StoredPiece) -> String {
        format!("{}/{piece}", self.uploads())
    }

    pub(super) fn stems(self) -> String {
        format!("{}/stems", self.folder())
    }

    pub(super) fn stem_frames(self, piece: &StoredPiece) -> String {
        format!("{}/{piece}", self.stems())
    }

    /// The overlap state of this name, as a record has it.
    pub(super) fn overlap_state(self, name: &str) -> String {
        format!("{}/carry/{name}", self.folder())
    }

    pub(super) fn checksums(self, crc32c: u32) -> String {
        format!("{}/checksums/{crc32c:08x}", self.folder())
    }

    pub(super) fn cover(self, crc32c: u32) -> String {
        format!("{}/cover/{crc32c:08x}", self.folder())
    }
}

/// The number of a manifest, from the name of its object.
pub(super) fn manifest_number(name: &str) -> Option<u64> {
    name.parse().ok()
}

/// A range of bytes or frames, and who stored it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredPiece {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) owner: String,
}

impl fmt::Display for StoredPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}-{:012}.{}", self.start, self.end, self.owner)
    }
}

impl FromStr for StoredPiece {
    type Err = ();

    fn from_str(name: &str) -> Result<StoredPiece, ()> {
        let (range, owner) = name.split_once('.').ok_or(())?;
        let (start, end) = range.split_once('-').ok_or(())?;
        let [start, end] = [start, end].map(|text| text.parse::<u64>());
        let (start, end) = (start.map_err(|_| ())?, end.map_err(|_| ())?);
        if start >= end { Err(()) } else { Ok(StoredPiece { start, end, owner: owner.to_owned() }) }
    }
}
