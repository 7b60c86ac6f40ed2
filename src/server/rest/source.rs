//! Bytes that come from the disk in pieces, as the body of an answer.
//!
//! A piece is read when the client has taken the one before the last, so a client that does not read
//! costs two pieces of memory and no thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use crate::audio::wav::{self, HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::server::blocking;
use crate::session::Session;
use crate::session::failure::SessionError;
use crate::session::stem_reader::{SampleFormat, StemReader};

/// Pieces that are ready and not taken.
const PIECES_AHEAD: usize = 1;

/// Frames that are read at once: 256 KiB of float32 samples.
const PIECE_FRAMES: Frames = Frames(32_768);

/// Bytes that are read at once of a file that is sent as it is.
const PIECE_BYTES: usize = 256 * 1024;

/// Something that gives bytes until it ends.
pub(super) trait Source: Send + 'static {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

impl Source for Box<dyn Source> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next()
    }
}

/// A body that reads from `source` as the client takes it.
pub(super) fn body(mut source: impl Source) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let work = async move {
        loop {
            let read = blocking::run(move || {
                let piece = source.next();
                (source, piece)
            });
            let piece = match read.await {
                Ok((returned, piece)) => {
                    source = returned;
                    piece
                }
                Err(status) => {
                    // A client that has gone needs no answer.
                    let _ = sender.send(Err(io::Error::other(status))).await;
                    return;
                }
            };
            let Some(piece) = piece.transpose() else { return };
            let failed = piece.is_err();
            // The connection is cut after an error, so that no client takes a partial body for the whole.
            if sender.send(piece).await.is_err() || failed {
                return;
            }
        }
    };
    tokio::spawn(work.in_current_span());
    Body::from_stream(ReceiverStream::new(receiver))
}

/// A stem as a WAV file, made while it is read.
pub(super) struct WavSource {
    reader: StemReader,
    header: Vec<u8>,
    size: u64,
    /// The next byte of the file.
    position: u64,
    end: u64,
    frame: u64,
}

impl WavSource {
    /// The file of a final stem of so many frames.
    ///
    /// # Errors
    /// Those of [`StemReader::open`].
    pub(super) fn open(
        session: &Arc<Session>,
        stem: &StemName,
        frames: Frames,
        rate: Hertz,
        form: SampleFormat,
    ) -> Result<WavSource, SessionError> {
        let reader = StemReader::open(session, stem.as_str(), Frames::ZERO, form)?;
        let header = wav::header(form.encoding, rate, Some(frames));
        let size = wav_bytes(form.encoding, frames);
        let frame = frame_bytes(form.encoding);
        Ok(WavSource { reader, header, size, position: 0, end: size, frame })
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Only the bytes from `first` to before `end`.
    pub(super) fn part(mut self, first: u64, end: u64) -> WavSource {
        self.position = first;
        self.end = end.min(self.size);
        if let Some(after) = first.checked_sub(HEADER_BYTES) {
            self.reader.seek(Frames(after / self.frame));
        }
        self
    }
}

/// The length of such a file in bytes.
pub(super) fn wav_bytes(encoding: Encoding, frames: Frames) -> u64 {
    HEADER_BYTES + frames.0 * frame_bytes(encoding)
}

impl Source for WavSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let left = (self.end - self.position) as usize;
        let mut bytes = match self.position.checked_sub(HEADER_BYTES) {
            None => self.header[self.position as usize..].to_vec(),
            Some(after) => {
                // A range may begin within a frame.
                let skipped = (after % self.frame) as usize;
                let mut bytes = self.reader.read(PIECE_FRAMES)?.bytes;
                if bytes.len() <= skipped {
                    let text = "the stem is shorter than it was";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                bytes.split_off(skipped)
            }
        };
        bytes.truncate(left);
        self.position += bytes.len() as u64;
        Ok(Some(bytes.into()))
    }
}

/// A part of a file as it is.
pub(super) struct FileSource {
    file: File,
    left: u64,
}

impl FileSource {
    /// The bytes from `first` to before `end`.
    pub(super) fn open(path: &Path, first: u64, end: u64) -> io::Result<FileSource> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(first))?;
        Ok(FileSource { file, left: end.saturating_sub(first) })
    }
}

impl Source for FileSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; self.left.min(PIECE_BYTES as u64) as usize];
        self.file.read_exact(&mut bytes)?;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes.into()))
    }
}
