//! Reads a stem from any frame, while it grows and after.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksums::{BLOCK, Checksums, Damage, StemChecksums, missing_is_damage};
use super::leases::LeaseError;
use super::live::ReaderGuard;
use super::settings::OutputChannels;
use super::{Manifest, SessionError};
use super::{Session, SessionState};
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, StemName, Stereo};
use crate::model::Sha256Hash;

/// The format in which a reader delivers samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StemFormat {
    /// Encoding.
    pub encoding: Encoding,
    /// Factor applied before encoding.
    pub gain: f32,
    /// Channels.
    pub channels: OutputChannels,
}

impl StemFormat {
    /// As stems are stored.
    pub const STORED: StemFormat =
        StemFormat { encoding: Encoding::F32Le, gain: 1.0, channels: OutputChannels::Stereo };
}

/// Encoded frames of a stem.
#[derive(Debug, Clone, PartialEq)]
pub struct StemFrames {
    /// Position of the first frame.
    pub start: Frames,
    /// Number of frames.
    pub frames: Frames,
    /// Channels of each frame: 1 or 2.
    pub channels: usize,
    /// Interleaved samples.
    pub bytes: Vec<u8>,
    /// Samples clipped by an integer encoding.
    pub clipped: u64,
}

/// A stem and a position in it. While it lives, the session is not removed by retention.
///
/// Between two reads it holds neither an open file nor samples: there may be more readers than a process may have open
/// files.
#[derive(Debug)]
pub struct StemReader {
    session: Arc<Session>,
    stem: StemName,
    /// Index of the stem in the plan.
    index: usize,
    position: Frames,
    format: StemFormat,
    _reader: ReaderGuard,
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
        let manifest = session.durable_manifest();
        let names = &manifest.plan.stems;
        let Some(index) = names.iter().position(|name| name.as_str() == stem) else {
            let known: Vec<_> = names.iter().map(StemName::as_str).collect();
            let stem = stem.chars().take(64).collect();
            return Err(SessionError::StemUnknown { stem, known: known.join(", ") });
        };
        let reader = StemReader {
            session: Arc::clone(session),
            stem: names[index].clone(),
            index,
            position: start,
            format,
            _reader: session.register_reader(),
        };
        reader.check_start()?;
        Ok(reader)
    }

    /// Checks the position again: the length may become known after the stem was opened.
    ///
    /// # Errors
    /// `FrameOutOfRange` if the length is known and the position is beyond it.
    pub fn check_start(&self) -> Result<(), SessionError> {
        match self.session.durable_manifest().total {
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

    /// The error of a read, which is that of a missing session if the session was removed meanwhile.
    pub fn error_of(&self, error: io::Error) -> SessionError {
        match self.session.is_removed() {
            true => self.session.gone(),
            false => SessionError::Storage(error),
        }
    }

    /// Moves to the frame `position`.
    pub fn seek(&mut self, position: Frames) {
        self.position = position;
    }

    /// Reads at most `most` of the next committed frames; none if there are none yet.
    ///
    /// # Errors
    /// [`Damage`] if they are missing or differ from their checksums, which is reported to the
    /// session; I/O errors.
    pub fn read(&mut self, most: Frames) -> io::Result<StemFrames> {
        let start = self.position;
        let stored = self.read_stored(most)?;
        let count = self.position - start;
        let StemFormat { encoding, gain, channels } = self.format;
        let channels = channels.count(self.session.durable_manifest().source_channels());
        let bytes = Vec::new();
        let mut frames = StemFrames { start, frames: count, channels, bytes, clipped: 0 };
        if (encoding, gain, channels) == (Encoding::F32Le, 1.0, Stereo::CHANNELS) {
            frames.bytes = stored;
            return Ok(frames);
        }
        let audio = self.scaled(&stored);
        frames.clipped = match channels {
            1 => encoding.write(audio.mono(), &mut frames.bytes),
            _ => encoding.write_frames(&audio, &mut frames.bytes),
        };
        Ok(frames)
    }

    /// The same as samples in stereo, with the gain but not in the encoding and the channels of the reader's format.
    ///
    /// # Errors
    /// Those of [`StemReader::read`].
    pub fn read_audio(&mut self, most: Frames) -> io::Result<Stereo> {
        let stored = self.read_stored(most)?;
        Ok(self.scaled(&stored))
    }
}

impl StemReader {
    /// Reads at most `most` of the next committed frames as they are stored.
    fn read_stored(&mut self, most: Frames) -> io::Result<Vec<u8>> {
        let start = self.position;
        let manifest = self.session.durable_manifest();
        let count = manifest.commit.stems.saturating_sub(start).min(most);
        if count == Frames::ZERO {
            return Ok(Vec::new());
        }
        self.session.prepare_reading().map_err(|error| self.as_damage(&manifest, error))?;
        let stored = match &manifest.commit.checksums {
            Some(checksums) => self.read_checked(&manifest, checksums, count),
            None => self.read_unchecked(start, count),
        };
        let stored = stored.map_err(|error| self.as_damage(&manifest, error))?;
        self.position += count;
        Ok(stored)
    }

    fn scaled(&self, stored: &[u8]) -> Stereo {
        let mut audio = Encoding::F32Le.read_frames(stored);
        if self.format.gain != 1.0 {
            audio.scale(self.format.gain);
        }
        audio
    }

    /// Reads `count` frames from the position on, in blocks that match their checksums.
    fn read_checked(
        &self,
        manifest: &Manifest,
        checksums: &Checksums,
        count: Frames,
    ) -> io::Result<Vec<u8>> {
        let frame = frame_bytes(Encoding::F32Le);
        let (mut at, end) = (self.position, self.position + count);
        let path = self.session.layout().checksums();
        let expected = StemChecksums { path: &path, committed: checksums, stem: self.index };
        let mut stored = Vec::with_capacity((count.0 * frame) as usize);
        while at < end {
            let index = at.0 / BLOCK.0;
            let first = Frames(index * BLOCK.0);
            let frames = manifest.commit.stems.saturating_sub(first).min(BLOCK);
            let bytes = self.read_unchecked(first, frames)?;
            if !expected.matches(index, &bytes)? {
                return Err(Damage::of(&self.path()).into());
            }
            let until = end.min(first + frames);
            let range = (at.0 - first.0) * frame..(until.0 - first.0) * frame;
            stored.extend_from_slice(&bytes[range.start as usize..range.end as usize]);
            at = until;
        }
        Ok(stored)
    }

    /// Reads `count` frames from the frame `start` on.
    fn read_unchecked(&self, start: Frames, count: Frames) -> io::Result<Vec<u8>> {
        if let Some(stored) = self.session.read_from_replica(&self.stem, start, count)? {
            return Ok(stored);
        }
        let mut file = open_stem(&self.session, &self.stem)?;
        let frame = frame_bytes(Encoding::F32Le);
        let mut stored = vec![0; (count.0 * frame) as usize];
        file.seek(SeekFrom::Start(HEADER_BYTES + start.0 * frame))?;
        file.read_exact(&mut stored).map_err(missing_is_damage(&self.path()))?;
        Ok(stored)
    }

    /// Reports damage to the session, unless the session has changed since `manifest`.
    fn as_damage(&self, manifest: &Manifest, error: io::Error) -> io::Error {
        let error = missing_is_damage(&self.path())(error);
        let Some(damage) = Damage::in_error(&error) else { return error };
        if self.session.is_removed() {
            return io::ErrorKind::NotFound.into();
        }
        if self.session.manifest().recomputed != manifest.recomputed {
            return Damage { recomputing: true, ..damage.clone() }.into();
        }
        if self.session.is_taken_away() {
            let cause = format!("session {} has changed hands", self.session.id());
            return LeaseError { cause }.into();
        }
        self.session.report_damage(&self.path()).into()
    }

    fn path(&self) -> PathBuf {
        self.session.layout().stem(&self.stem)
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
