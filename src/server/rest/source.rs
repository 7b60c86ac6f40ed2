//! Response bodies read from disk in chunks.
//!
//! Chunks are read as the client takes them, so a client that does not read costs two chunks of memory and no
//! thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use crate::audio::wav::{self, HEADER_BYTES, frame_bytes};
use crate::audio::{Encoding, Frames, Hertz, StemName};
use crate::server::blocking;
use crate::server::budget::Budget;
use crate::session::stem_reader::{StemFormat, StemReader};
use crate::session::{Session, SessionError};

/// Chunks buffered for the client.
const PIECES_AHEAD: usize = 1;

/// Frames read at once: 256 KiB of float32 stereo.
const PIECE_FRAMES: Frames = Frames(32_768);

/// Bytes read at once from a file that is sent unchanged.
const PIECE_BYTES: usize = 256 * 1024;

/// A source of bytes.
pub(super) trait Source: Send + 'static {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

impl Source for Box<dyn Source> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next()
    }
}

/// A response body that reads `source` as the client takes it. What waits for the client is charged on `memory`.
pub(super) fn body(mut source: impl Source, memory: Arc<Budget>) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let work = async move {
        loop {
            let charge = tokio::select! {
                charge = memory.take(PIECE_BYTES) => charge,
                () = sender.closed() => return,
            };
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
                    // The send fails only if the client has disconnected.
                    let _ = sender.send((Err(io::Error::other(status)), charge)).await;
                    return;
                }
            };
            let Some(piece) = piece.transpose() else { return };
            let failed = piece.is_err();
            // An error cuts the connection, so that no client takes a partial body for the whole.
            if sender.send((piece, charge)).await.is_err() || failed {
                return;
            }
        }
    };
    tokio::spawn(work.in_current_span());
    Body::from_stream(ReceiverStream::new(receiver).map(|(piece, _)| piece))
}

/// A stem as a WAV file, generated while it is read.
pub(super) struct WavSource {
    reader: StemReader,
    header: Vec<u8>,
    size: u64,
    /// Position of the next byte in the file.
    position: u64,
    end: u64,
    frame: u64,
}

impl WavSource {
    /// The file of a finished stem of `frames` frames.
    ///
    /// # Errors
    /// Those of [`StemReader::open`].
    pub(super) fn open(
        session: &Arc<Session>,
        stem: &StemName,
        frames: Frames,
        rate: Hertz,
        form: StemFormat,
    ) -> Result<WavSource, SessionError> {
        let reader = StemReader::open(session, stem.as_str(), Frames::ZERO, form)?;
        let header = wav::header(form.encoding, rate, Some(frames));
        let size = wav_bytes(form.encoding, frames);
        let frame = frame_bytes(form.encoding);
        Ok(WavSource { reader, header, size, position: 0, end: size, frame })
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Restricts the file to the bytes from `first` to before `end`.
    pub(super) fn part(mut self, first: u64, end: u64) -> WavSource {
        self.position = first;
        self.end = end.min(self.size);
        if let Some(after) = first.checked_sub(HEADER_BYTES) {
            self.reader.seek(Frames(after / self.frame));
        }
        self
    }
}

/// Size in bytes of the WAV file of a stem.
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
                // A range may start within a frame.
                let skipped = (after % self.frame) as usize;
                let mut bytes = self.reader.read(PIECE_FRAMES)?.bytes;
                if bytes.len() <= skipped {
                    let text = "the stem has become shorter";
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

/// A part of a file, unchanged. The file is opened for each read, as those of stems are.
pub(super) struct FileSource {
    path: PathBuf,
    position: u64,
    end: u64,
}

impl FileSource {
    /// The bytes from `first` to before `end`.
    pub(super) fn new(path: PathBuf, first: u64, end: u64) -> FileSource {
        FileSource { path, position: first, end }
    }
}

impl Source for FileSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = vec![0; left.min(PIECE_BYTES as u64) as usize];
        file.read_exact(&mut bytes)?;
        self.position += bytes.len() as u64;
        Ok(Some(bytes.into()))
    }
}
