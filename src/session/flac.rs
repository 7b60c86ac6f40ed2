//! A final stem as a FLAC file, kept in the session's directory so that parts of it can be read.
//!
//! Its bytes are those of the encoder's stream, which has no MD5 of the samples in its header: a download that was sent while
//! it was encoded continues with a range of the file.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cached_file::CachedFile;
use super::{Session, SessionError};
use crate::audio::{Frames, StemName};
use crate::encode::{FileSpec, Output, encoder};
use crate::session::stem_reader::{StemFormat, StemReader};

/// Frames read and encoded at once.
const FRAMES_AT_ONCE: Frames = Frames(65_536);

/// The FLAC file of a final stem if it has been encoded in this format and with these channels, with the gain for `fit` or
/// without.
pub fn made(session: &Session, stem: &StemName, spec: &FileSpec, fit: bool) -> Option<CachedFile> {
    CachedFile::find(session.layout().flac(stem, spec, fit))
}

/// Encodes the FLAC file of a final stem with `gain` applied, unless it exists in this format. Calls for one session must not run at the
/// same time.
///
/// # Errors
/// `StemUnknown`, `Storage`.
pub fn make(
    session: &Arc<Session>,
    stem: &StemName,
    spec: &FileSpec,
    gain: f32,
    fit: bool,
) -> Result<CachedFile, SessionError> {
    if let Some(made) = made(session, stem, spec, fit) {
        return Ok(made);
    }
    let path = session.layout().flac(stem, spec, fit);
    let part = path.with_extension("part");
    if let Some(folder) = path.parent() {
        // Not the parents: a session that is being removed must not reappear.
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    let format = StemFormat { gain, ..StemFormat::STORED };
    let mut reader = StemReader::open(session, stem.as_str(), Frames::ZERO, format)?;
    if let Err(error) = write(&mut reader, &part, spec) {
        // The file is incomplete.
        let _ = fs::remove_file(&part);
        return Err(error.into());
    }
    let made = CachedFile::publish(&part, path)?;
    session.measure();
    Ok(made)
}

fn write(reader: &mut StemReader, part: &Path, spec: &FileSpec) -> io::Result<()> {
    // A crash may have left one.
    let file = File::create(part)?;
    let mut encoder = encoder(spec, Output::Stream(Box::new(file.try_clone()?)), None)?;
    loop {
        let block = reader.read_audio(FRAMES_AT_ONCE)?;
        if block.is_empty() {
            encoder.finish()?;
            return file.sync_all();
        }
        encoder.write(&block)?;
    }
}
