//! Damage of a session's files: what readers report, and whether the stems can be recomputed.

use std::io;
use std::path::Path;

use super::{Session, lock};
use crate::session::SessionState;
use crate::session::checksums::{Damage, Prefix, begins_with, missing_is_damage, prefix_of};

/// Damage of committed frames that a reader has found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum FoundDamage {
    /// None.
    #[default]
    Nothing,
    /// The stems are to be recomputed.
    ToRecompute,
    /// They cannot be recomputed.
    Lost,
}

impl Session {
    /// Damage that readers have found.
    pub fn found_damage(&self) -> FoundDamage {
        *lock(&self.damage)
    }

    /// Records whether the damage that readers have found will be repaired.
    pub fn set_found_damage(&self, damage: FoundDamage) {
        let changed = std::mem::replace(&mut *lock(&self.damage), damage) != damage;
        if changed {
            self.notifier.notify();
        }
    }

    /// Reports that the stem file at `path` is damaged. Returns the error for its reader: the stems of a session that is done
    /// or runs are recomputed, if its upload is intact.
    pub fn report_damage(&self, path: &Path) -> Damage {
        let known = self.found_damage();
        let found = if known == FoundDamage::Nothing { self.judge_damage() } else { known };
        if known != found {
            tracing::error!(session = %self.id, file = %path.display(), ?found, "committed frames are damaged");
            self.set_found_damage(found);
        }
        Damage { recomputing: found == FoundDamage::ToRecompute, ..Damage::of(path) }
    }

    fn judge_damage(&self) -> FoundDamage {
        let manifest = self.manifest();
        match manifest.state() {
            SessionState::Uploading | SessionState::Running => FoundDamage::ToRecompute,
            SessionState::Done if self.check_upload().is_ok() => FoundDamage::ToRecompute,
            SessionState::Done | SessionState::Failed | SessionState::Cancelled => {
                FoundDamage::Lost
            }
            // Judged again once it is resumed.
            SessionState::Paused => FoundDamage::Nothing,
        }
    }

    /// Checks the stored bytes of the upload against their checksum.
    ///
    /// # Errors
    /// [`Damage`]; I/O errors of the file.
    pub fn check_upload(&self) -> io::Result<()> {
        self.fetch()?;
        let (manifest, path) = (self.manifest(), self.layout.upload());
        let stored = lock(&self.stored).or(manifest.upload.stored);
        let is_intact = match stored {
            // The end of an incomplete upload is not synced, and may be lost with the power: its client sends it again.
            Some(stored) if self.uploaded() < stored.bytes && !manifest.upload_complete() => true,
            Some(stored) => begins_with(&path, stored).map_err(missing_is_damage(&path))?,
            // Of 0.1.0: its length alone is known.
            None => std::fs::metadata(&path)?.len() >= manifest.upload.total.unwrap_or(0),
        };
        if is_intact { Ok(()) } else { Err(Damage::of(&path).into()) }
    }

    /// Establishes the checksum of an upload that an earlier process has begun, to be continued.
    pub(super) fn resume_checksum(&self, length: u64) -> io::Result<Prefix> {
        let path = self.layout.upload();
        let known = *lock(&self.stored);
        if let Some(known) = known.filter(|known| known.bytes == length) {
            return Ok(known);
        }
        let recorded = self.manifest().upload.stored;
        if let Some(recorded) = recorded.filter(|recorded| recorded.bytes <= length)
            && !begins_with(&path, recorded)?
        {
            return Err(Damage::of(&path).into());
        }
        prefix_of(std::fs::File::open(&path)?, length)
    }
}
