//! Response bodies read from disk in chunks.
//!
//! Chunks are read as the client takes them, so a client that does not read costs two chunks of memory and no
//! thread.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use crate::server::blocking;
use crate::server::memory_budget::Budget;
use crate::session::cached_file::CachedFile;
use crate::session::live::ReaderGuard;

/// Chunks buffered for the client.
const PIECES_AHEAD: usize = 1;

/// Bytes read at once from what is sent unchanged.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// Memory of an encoder, with what it holds back.
const ENCODER_BYTES: usize = 1 << 20;

/// A source of bytes.
pub(super) trait Source: Send + 'static {
    /// The next bytes, none of them where this step has made none; `None` at the end. A step takes tens of milliseconds at
    /// most.
    fn next(&mut self) -> io::Result<Option<Bytes>>;

    /// Whether the bytes are encoded while they are read.
    fn encodes(&self) -> bool {
        false
    }

    /// Memory that it takes beside the next bytes and an encoder.
    fn held_bytes(&self) -> usize {
        0
    }
}

impl Source for Box<dyn Source> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next()
    }

    fn encodes(&self) -> bool {
        (**self).encodes()
    }

    fn held_bytes(&self) -> usize {
        (**self).held_bytes()
    }
}

/// A response body that reads `source` as the client takes it. What waits for the client is charged on `memory`, and so is
/// what the source holds; each step of encoding needs one of the permits of `encoding`.
pub(super) fn body(mut source: impl Source, memory: Arc<Budget>, encoding: Arc<Semaphore>) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let work = async move {
        let encodes = source.encodes();
        let held = source.held_bytes() + if encodes { ENCODER_BYTES } else { 0 };
        let _held = match held {
            0 => None,
            held => Some(memory.take(held).await),
        };
        loop {
            let charge = tokio::select! {
                charge = memory.take(PIECE_BYTES) => charge,
                () = sender.closed() => return,
            };
            let piece = loop {
                let permit = match encodes {
                    true => Arc::clone(&encoding).acquire_owned().await.ok(),
                    false => None,
                };
                let read = blocking::run(move || {
                    // Held by the task, which continues if the client disconnects.
                    let _permit = permit;
                    let piece = source.next();
                    (source, piece)
                });
                match read.await {
                    // Other downloads get the permit before the next step.
                    Ok((returned, Ok(Some(none)))) if none.is_empty() && !sender.is_closed() => {
                        source = returned;
                    }
                    Ok((returned, piece)) => {
                        source = returned;
                        break piece;
                    }
                    Err(status) => {
                        // The send fails only if the client has disconnected.
                        let _ = sender.send((Err(io::Error::other(status)), charge)).await;
                        return;
                    }
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

/// A part of a file, unchanged. The file is opened for each read, as those of stems are.
pub(super) struct FileSource {
    file: CachedFile,
    position: u64,
    end: u64,
    _reader: ReaderGuard,
}

impl FileSource {
    /// The bytes from `first` to before `end`, or its end.
    pub(super) fn new(file: CachedFile, reader: ReaderGuard, first: u64, end: u64) -> FileSource {
        FileSource { file, position: first, end, _reader: reader }
    }
}

impl Source for FileSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let bytes = self.file.read(self.position, self.end)?;
        self.position += bytes.len() as u64;
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// An encoder that makes nothing before another has begun.
    struct Patient {
        other_has_begun: Arc<AtomicBool>,
    }

    impl Source for Patient {
        fn next(&mut self) -> io::Result<Option<Bytes>> {
            match self.other_has_begun.load(Ordering::Acquire) {
                true => Ok(None),
                false => Ok(Some(Bytes::new())),
            }
        }

        fn encodes(&self) -> bool {
            true
        }
    }

    struct Other {
        pieces: VecDeque<&'static str>,
        begun: Arc<AtomicBool>,
    }

    impl Source for Other {
        fn next(&mut self) -> io::Result<Option<Bytes>> {
            self.begun.store(true, Ordering::Release);
            Ok(self.pieces.pop_front().map(|piece| piece.into()))
        }

        fn encodes(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn an_encoder_that_has_made_nothing_yet_lets_others_begin() {
        let (memory, encoding) = (Arc::new(Budget::new(1 << 30)), Arc::new(Semaphore::new(1)));
        let begun = Arc::new(AtomicBool::new(false));
        let patient = Patient { other_has_begun: Arc::clone(&begun) };
        let patient = body(patient, Arc::clone(&memory), Arc::clone(&encoding));
        let patient = tokio::spawn(axum::body::to_bytes(patient, 100));
        tokio::task::yield_now().await;
        let other = Other { pieces: ["a", "", "", "b"].into(), begun };
        let other = axum::body::to_bytes(body(other, memory, encoding), 100);
        assert_eq!(other.await.unwrap(), "ab");
        assert!(patient.await.unwrap().unwrap().is_empty());
    }
}
