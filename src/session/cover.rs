//! The cover picture of a session's song, a file of its own.

use std::fs::File;
use std::io::{self, Read};

use super::Session;
use crate::audio::Cover;
use crate::audio::cover::MAX_COVER_BYTES;
use crate::files;

/// Stores the cover, and replaces one that a decoder before a restart has stored.
///
/// # Errors
/// I/O errors from the session directory.
pub fn write(session: &Session, cover: &Cover) -> io::Result<()> {
    files::replace(&session.layout().cover(), cover.bytes())?;
    session.measure();
    Ok(())
}

/// The cover that the manifest records; `None` if there is none, or its file is damaged.
pub fn read(session: &Session) -> Option<Cover> {
    let recorded = session.manifest().source.as_ref()?.cover_bytes?;
    let file = File::open(session.layout().cover()).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_COVER_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Cover::new(&bytes).ok().filter(|_| bytes.len() as u64 == recorded)
}
