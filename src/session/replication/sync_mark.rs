//! The file by which the next start knows how far a directory and its replica were the same.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::session::Layout;

/// `replica.json`: what the replica had when the directory was last the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The number of its last manifest.
    pub(super) manifest: u64,
    /// Whether the upload and the stems are only there.
    #[serde(default)]
    pub(super) absent: bool,
}

impl Mark {
    /// The mark of a directory. `None` if it has none that can be read.
    pub(super) fn read(layout: &Layout) -> Option<Mark> {
        serde_json::from_slice(&fs::read(layout.replica_mark()).ok()?).ok()
    }

    /// Replaces the mark of a directory, before anything that follows is written to the disk.
    pub(super) fn write_synced(self, layout: &Layout) -> io::Result<()> {
        let bytes = serde_json::to_vec(&self).map_err(io::Error::other)?;
        files::replace(&layout.replica_mark(), &bytes)
    }

    /// Replaces the mark of a directory.
    pub(super) fn write(self, layout: &Layout) -> io::Result<()> {
        let bytes = serde_json::to_vec(&self).map_err(io::Error::other)?;
        let part = files::part_path(&layout.replica_mark());
        // Not synced: after a loss of power the directory is restored.
        fs::write(&part, bytes)?;
        fs::rename(part, layout.replica_mark())
    }
}
