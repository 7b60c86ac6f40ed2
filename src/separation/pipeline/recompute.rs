//! Recomputes the stems of a session whose committed frames are damaged.
//!
//! The overlap state of earlier segments is gone, so all commits are taken back. The upload is the same, so the bytes will
//! be, too: readers continue where they are once the commits have reached them again.

use std::io;

use super::storage;
use crate::session::checksums::Damage;
use crate::session::live::FoundDamage;
use crate::session::{Failure, Session};

/// Checks the upload, and calls `open`, which checks the committed frames; after damage again, with all commits taken back.
///
/// # Errors
/// The failure of the session: damage of the upload, or of frames that another engine began; I/O errors.
pub(super) fn checked<T>(
    session: &Session,
    open: impl Fn() -> io::Result<T>,
) -> Result<T, Failure> {
    session.set_found_damage(FoundDamage::Nothing);
    session.check_upload().map_err(storage)?;
    match open() {
        Err(error) if Damage::in_error(&error).is_some() => {
            let manifest = session.manifest();
            // The engine that failed then may not fail now, and so give other bytes than were delivered.
            if !manifest.engine_spans.is_empty() {
                return Err(storage(error));
            }
            tracing::warn!(session = %session.id(), %error, "recomputing the stems");
            session.update(|manifest| manifest.take_back()).map_err(storage)?;
            open().map_err(storage)
        }
        opened => opened.map_err(storage),
    }
}
