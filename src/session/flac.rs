//! A final stem as a FLAC file, made once and kept beside the session.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use super::failure::SessionError;
use crate::audio::flac::FlacFile;
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::session::stem_reader::{SampleFormat, StemReader};

/// Frames that are encoded at once.
const PIECE: Frames = Frames(65_536);

/// A FLAC file and its length in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlacStem {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// The FLAC file of a final stem, where it has been made: of its samples times `gain`, which is one
/// number for `fit` and one without.
pub fn made(session: &Session, stem: &StemName, fit: bool) -> Option<FlacStem> {
    let path = session.layout().flac(stem, fit);
    let bytes = fs::metadata(&path).ok()?.len();
    Some(FlacStem { path, bytes })
}

/// Makes it. Two of these must not run at once for one session.
///
/// # Errors
/// `StemUnknown`, `Storage`.
pub fn make(
    session: &Arc<Session>,
    stem: &StemName,
    rate: Hertz,
    gain: f32,
    fit: bool,
) -> Result<FlacStem, SessionError> {
    if let Some(made) = made(session, stem, fit) {
        return Ok(made);
    }
    let path = session.layout().flac(stem, fit);
    let part = path.with_extension("part");
    if let Some(folder) = path.parent() {
        // Not all of its parents: a session that is being removed must not come back.
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    let form = SampleFormat { encoding: Encoding::S24Le, gain };
    let mut reader = StemReader::open(session, stem.as_str(), Frames::ZERO, form)?;
    let written = write(&mut reader, &part, rate);
    if let Err(error) = written {
        // It is of no use and would only cost room.
        let _ = fs::remove_file(&part);
        return Err(error.into());
    }
    fs::rename(&part, &path).map_err(SessionError::Storage)?;
    let bytes = File::open(&path)?.metadata()?.len();
    Ok(FlacStem { path, bytes })
}

fn write(reader: &mut StemReader, part: &std::path::Path, rate: Hertz) -> io::Result<()> {
    let mut flac = FlacFile::create(part, rate)?;
    loop {
        let piece = reader.read(PIECE)?;
        if piece.frames == Frames::ZERO {
            return flac.finish();
        }
        flac.append(&piece.bytes)?;
    }
}
