//! Reads a stem from any frame, while it grows and after.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::SessionError;
use super::live::ReadLease;
use super::{Session, SessionState};
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, StemName};
use crate::model::Sha256Hash;

/// The format in which a reader delivers samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StemFormat {
    /// Encoding.
    pub encoding: Encoding,
    /// Factor applied before encoding.
    pub gain: f32,
}

/// Encoded frames of a stem.
#[derive(Debug, Clone, PartialEq)]
pub struct StemFrames {
    /// Position of the first frame.
    pub start: Frames,
    /// Number of frames.
    pub frames: Frames,
    /// Interleaved samples.
    pub bytes: Vec<u8>,
    /// Samples clipped by an integer encoding.
    pub clipped: u64,
}

/// A stem and a position in it. While it lives, the session is not removed by retention.
#[derive(Debug)]
pub struct StemReader {
    session: Arc<Session>,
    stem: StemName,
    /// Opened at the first read that finds frames.
    file: Option<File>,
    position: Frames,
    format: StemFormat,
    _lease: ReadLease,
}

impl StemReader {
    /// Opens `stem` of `session` at the frame `start`.
    ///
    /// # Errors
    /// `StemUnknown`; `FrameOutOfRange` if the length is known and `start` is beyond it.
    pub fn open(
        session: &Arc<Session>,
        stem: &str,
        start: Frames,
        format: StemFormat,
    ) -> Result<StemReader, SessionError> {
        let manifest = session.manifest();
        let names = &manifest.plan.stems;
        let Some(name) = names.iter().find(|name| name.as_str() == stem) else {
            let known: Vec<_> = names.iter().map(StemName::as_str).collect();
            let stem = stem.chars().take(64).collect();
            return Err(SessionError::StemUnknown { stem, known: known.join(", ") });
        };
        let reader = StemReader {
            session: Arc::clone(session),
            stem: name.clone(),
            file: None,
            position: start,
            format,
            _lease: session.read_lease(),
        };
        reader.check_start()?;
        Ok(reader)
    }

    /// Checks the position again: the length may become known after the stem was opened.
    ///
    /// # Errors
    /// `FrameOutOfRange` if the length is known and the position is beyond it.
    pub fn check_start(&self) -> Result<(), SessionError> {
        match self.session.manifest().total {
            Some(frames) if self.position > frames => {
                let (stem, frame) = (self.stem.clone(), self.position);
                Err(SessionError::FrameOutOfRange { stem, frame, frames })
            }
            _ => Ok(()),
        }
    }

    /// The stem.
    pub fn stem(&self) -> &StemName {
        &self.stem
    }

    /// The next frame to read.
    pub fn position(&self) -> Frames {
        self.position
    }

    /// Moves to the frame `position`.
    pub fn seek(&mut self, position: Frames) {
        self.position = position;
    }

    /// Reads at most `most` of the next committed frames; none if there are none yet.
    pub fn read(&mut self, most: Frames) -> io::Result<StemFrames> {
        let start = self.position;
        let count = self.session.progress().finished.saturating_sub(start).min(most);
        let mut frames = StemFrames { start, frames: count, bytes: Vec::new(), clipped: 0 };
        if count == Frames::ZERO {
            return Ok(frames);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(open_stem(&self.session, &self.stem)?),
        };
        let frame = frame_bytes(Encoding::F32Le);
        let mut stored = vec![0; (count.0 * frame) as usize];
        file.seek(SeekFrom::Start(HEADER_BYTES + start.0 * frame))?;
        file.read_exact(&mut stored)?;
        self.position += count;
        if self.format == (StemFormat { encoding: Encoding::F32Le, gain: 1.0 }) {
            frames.bytes = stored;
        } else {
            let mut audio = Encoding::F32Le.read_frames(&stored);
            audio.scale(self.format.gain);
            frames.clipped = self.format.encoding.write_frames(&audio, &mut frames.bytes);
        }
        Ok(frames)
    }
}

/// Opens the file of a stem, which is renamed when the stem becomes final.
fn open_stem(session: &Session, stem: &StemName) -> io::Result<File> {
    let (growing, last) = (session.layout().growing_stem(stem), session.layout().stem(stem));
    let (first, second) = match session.state() {
        SessionState::Done => (last, growing),
        _ => (growing, last),
    };
    File::open(first).or_else(|_| File::open(second))
}

/// SHA-256 of a stem's samples, in hexadecimal.
pub fn sha256_of_stem(path: &Path, frames: Frames) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    let samples = file.take(frames.0 * frame_bytes(Encoding::F32Le));
    Ok(Sha256Hash::of_reader(samples)?.to_string())
}
