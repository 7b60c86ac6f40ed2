//! A source that is read once, in a thread of its own.

use std::collections::VecDeque;
use std::io;

use prost::bytes::Bytes;
use tokio::sync::mpsc;

use super::CHUNK_BYTES;

/// Chunks read ahead of the connection.
const CHUNKS_AHEAD: usize = 4;

/// Bytes kept of a stream. More than HTTP/2 has in flight, so that what a broken connection lost can be sent again.
pub(super) const KEPT_BYTES: usize = 16 << 20;

pub(super) type Pieces = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

/// A source that is read once.
pub(super) struct Stream {
    state: StreamState,
    kept: Kept,
}

enum StreamState {
    New(Pieces),
    Read(mpsc::Receiver<io::Result<Bytes>>),
    Ended,
}

impl Stream {
    /// Nothing is read yet.
    pub(super) fn new(pieces: Pieces) -> Stream {
        Stream { state: StreamState::New(pieces), kept: Kept::default() }
    }

    /// The bytes from `offset` on, at most as many as a message has; none at the end.
    /// May be dropped while it waits: nothing is lost.
    pub(super) async fn read(&mut self, offset: u64) -> io::Result<Bytes> {
        while offset >= self.kept.end {
            let next = match &mut self.state {
                StreamState::Ended => None,
                StreamState::Read(pieces) => pieces.recv().await,
                StreamState::New(_) => {
                    let StreamState::New(pieces) =
                        std::mem::replace(&mut self.state, StreamState::Ended)
                    else {
                        continue;
                    };
                    self.state = StreamState::Read(start(pieces)?);
                    continue;
                }
            };
            match next {
                Some(piece) => self.kept.push(piece?),
                None => {
                    self.state = StreamState::Ended;
                    return Ok(Bytes::new());
                }
            }
        }
        self.kept.from(offset)
    }
}

/// Reads pieces in a thread.
fn start(pieces: Pieces) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    // Not joined: reading a pipe cannot be interrupted.
    std::thread::Builder::new().name("song-read".into()).spawn(move || {
        for piece in pieces {
            if sender.blocking_send(piece).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// The last bytes of a stream.
#[derive(Default)]
struct Kept {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Position after the last piece.
    end: u64,
}

impl Kept {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.end += piece.len() as u64;
        self.pieces.push_back(piece);
        while let Some(first) = self.pieces.front()
            && self.bytes - first.len() >= KEPT_BYTES
        {
            self.bytes -= first.len();
            self.pieces.pop_front();
        }
    }

    fn from(&self, offset: u64) -> io::Result<Bytes> {
        let mut start = self.end - self.bytes as u64;
        for piece in &self.pieces {
            let end = start + piece.len() as u64;
            if (start..end).contains(&offset) {
                let piece = piece.slice((offset - start) as usize..);
                return Ok(piece.slice(..piece.len().min(CHUNK_BYTES)));
            }
            start = end;
        }
        Err(io::Error::other(format!(
            "the upload continues at byte {offset}, but only the last {} MiB of a stream are kept",
            KEPT_BYTES >> 20
        )))
    }
}
