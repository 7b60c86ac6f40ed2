//! Separates a song on a server.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use prost::bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use crate::calls::session;
use crate::error::ClientError;
use crate::proto;
use crate::proto::SeparateRequest;
use crate::proto::separate_request::Message as Sent;
use crate::proto::separate_response::Message as Received;
use crate::server::{Server, Stub, connect};

/// A song to separate.
pub struct Request {
    /// Settings. `request_id` must be set, so that the call can be repeated.
    pub config: proto::SeparationConfig,
    /// Its bytes; `None` once they have been read from a pipe.
    pub song: Option<Box<dyn Song>>,
    /// Whether `song` can be read again from any position, so that a broken call can be resumed.
    pub seekable: bool,
    /// Whether `song` is read to its end also if the session is done before.
    pub whole: bool,
}

/// The source of a song's bytes.
pub trait Song: Read + Seek + Send + 'static {}

impl<T: Read + Seek + Send + 'static> Song for T {}

/// Receives the messages of a call.
pub trait Sink {
    /// A call begins. From now on the server may have a session of this request, also if the call fails.
    fn calling(&mut self);
    /// The session: the first message of every connection.
    ///
    /// # Errors
    /// Ends the call.
    fn session(&mut self, session: &proto::Session) -> std::io::Result<()>;
    /// Progress.
    fn progress(&mut self, progress: &proto::Progress);
    /// The next frames of a stem, in order. Frames are repeated after a reconnect if another stem has fewer.
    ///
    /// # Errors
    /// Ends the call.
    fn stem(&mut self, chunk: &proto::StemChunk) -> std::io::Result<()>;
    /// A switch to another engine.
    fn engine_change(&mut self, change: &proto::EngineChange);
    /// The call failed and is repeated after `pause`.
    fn reconnecting(&mut self, error: &ClientError, pause: Duration);
    /// Frames that every stem has: where to continue after a reconnect.
    fn frames(&self) -> u64;
}

/// Bytes per chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks read ahead of the connection.
const CHUNKS_AHEAD: usize = 4;

/// Attempts without progress before giving up, and the pause before the first retry.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Separates a song; returns the session in its final state.
///
/// # Errors
/// [`ClientError`].
pub async fn separate(
    server: &Server,
    mut request: Request,
    sink: &mut dyn Sink,
) -> Result<proto::Session, ClientError> {
    let mut failures = 0;
    let mut held = (0, 0);
    // If the server has never responded, there is no retry: the URL may be wrong.
    let mut answered = false;
    loop {
        let error = match attempt(server, &mut request, held.0, sink).await {
            Ok(session) => return Ok(session),
            Err(FailedAttempt { error, committed }) => {
                let now = (committed.max(held.0), sink.frames());
                failures = if now > held { 0 } else { failures + 1 };
                held = now;
                error
            }
        };
        answered |= !matches!(error, ClientError::Connect { .. });
        let Some(least) = error.retry_after() else { return Err(error) };
        if !answered || !request.seekable || failures >= ATTEMPTS {
            return Err(error);
        }
        let pause = least.max(FIRST_PAUSE * 2_u32.pow(failures));
        sink.reconnecting(&error, pause);
        tokio::time::sleep(pause).await;
    }
}

/// The error of an attempt, and the bytes that the server had by then.
struct FailedAttempt {
    error: ClientError,
    committed: u64,
}

async fn attempt(
    server: &Server,
    request: &mut Request,
    committed: u64,
    sink: &mut dyn Sink,
) -> Result<proto::Session, FailedAttempt> {
    let mut progress = committed;
    let result = async {
        let mut stub = connect(server).await?;
        sink.calling();
        let offset = if committed > 0 { held(&mut stub, request).await? } else { 0 };
        progress = progress.max(offset);
        exchange(&mut stub, &server.url, request, offset, sink, &mut progress).await
    };
    let result = result.await;
    result.map_err(|error| FailedAttempt { error, committed: progress })
}

/// Queries how many bytes of the upload the server has.
async fn held(stub: &mut Stub, request: &Request) -> Result<u64, ClientError> {
    Ok(session(stub, &request.config).await?.committed_bytes)
}

async fn exchange(
    stub: &mut Stub,
    url: &str,
    request: &mut Request,
    offset: u64,
    sink: &mut dyn Sink,
    committed: &mut u64,
) -> Result<proto::Session, ClientError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let mut config = request.config.clone();
    config.upload_offset = offset;
    config.start_frame = sink.frames();
    let first = SeparateRequest { message: Some(Sent::Config(config)) };
    // The channel has capacity, and the receiver exists.
    let _ = sender.try_send(first);
    let song = request
        .song
        .take()
        .ok_or_else(|| ClientError::Protocol("the song cannot be read a second time".into()))?;
    let Request { seekable, whole, .. } = *request;
    let reader = Reader::start(song, seekable.then_some(offset), offset, whole, sender)?;
    let result = receive(stub, url, receiver, sink, committed).await;
    if seekable || (whole && result.is_ok()) {
        // The call has ended, so the reader's next chunk is its last, unless it reads the whole song.
        let (song, read) = reader.end().await?;
        request.song = Some(song);
        if result.is_err() {
            read?;
        }
    }
    result
}

async fn receive(
    stub: &mut Stub,
    url: &str,
    requests: mpsc::Receiver<SeparateRequest>,
    sink: &mut dyn Sink,
    committed: &mut u64,
) -> Result<proto::Session, ClientError> {
    let call = stub.separate(ReceiverStream::new(requests)).await;
    let mut answers = call.map_err(|status| ClientError::before_answer(url, status))?.into_inner();
    loop {
        match answers.message().await?.and_then(|answer| answer.message) {
            Some(Received::Session(session)) => {
                // The session exists before its first byte arrives: a repeated call takes it over.
                *committed = (*committed).max(session.committed_bytes).max(1);
                sink.session(&session)?;
            }
            Some(Received::Progress(progress)) => sink.progress(&progress),
            Some(Received::Stem(chunk)) => sink.stem(&chunk)?,
            Some(Received::EngineChange(change)) => sink.engine_change(&change),
            Some(Received::Done(session)) if session.state() == proto::SessionState::Done => {
                return Ok(session);
            }
            // The session failed or was cancelled: the status that follows is the error.
            Some(Received::Done(_)) => {}
            None => return Err(ClientError::Protocol("the call ended without a result".into())),
        }
    }
}

/// Reads a song in a thread of its own, because reading a pipe may block while stems arrive.
struct Reader {
    ended: oneshot::Receiver<(Box<dyn Song>, io::Result<()>)>,
}

impl Reader {
    /// Sends the song from `seek` on, or from its current position, which is `offset` in the upload.
    fn start(
        mut song: Box<dyn Song>,
        seek: Option<u64>,
        offset: u64,
        whole: bool,
        sender: mpsc::Sender<SeparateRequest>,
    ) -> io::Result<Reader> {
        let (result, ended) = oneshot::channel();
        // Not joined: reading a pipe cannot be cancelled. The thread ends with the song, with the call after its next
        // chunk, or with the process.
        std::thread::Builder::new().name("song-read".into()).spawn(move || {
            let mut read = send_song(song.as_mut(), seek, offset, &sender);
            drop(sender);
            if whole && read.is_ok() {
                read = io::copy(song.as_mut(), &mut io::sink()).map(drop);
            }
            // The send fails only if the call is over.
            let _ = result.send((song, read));
        })?;
        Ok(Reader { ended })
    }

    async fn end(self) -> Result<(Box<dyn Song>, io::Result<()>), ClientError> {
        self.ended.await.map_err(|_| ClientError::Protocol("reading the song panicked".into()))
    }
}

fn send_song(
    song: &mut dyn Song,
    seek: Option<u64>,
    offset: u64,
    sender: &mpsc::Sender<SeparateRequest>,
) -> io::Result<()> {
    if let Some(position) = seek {
        song.seek(SeekFrom::Start(position))?;
    }
    let mut total = offset;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = match song.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += count as u64;
        hash.update(&buffer[..count]);
        let message = if count > 0 {
            Sent::Chunk(Bytes::copy_from_slice(&buffer[..count]))
        } else {
            // A continued upload has no hash: it would be that of the rest only.
            let sha256 = if offset == 0 { hash.finalize_reset().to_vec() } else { Vec::new() };
            Sent::Finish(proto::Finish { total_bytes: total, sha256 })
        };
        let sent = sender.blocking_send(SeparateRequest { message: Some(message) });
        // If the call has ended, its error is reported elsewhere.
        if sent.is_err() || count == 0 {
            return Ok(());
        }
    }
}
