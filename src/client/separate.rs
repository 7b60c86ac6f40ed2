//! One song to the server, its stems back.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use prost::bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::{ClientError, Server, Stub, connect};
use crate::proto;
use crate::proto::SeparateRequest;
use crate::proto::separate_request::Message as Sent;
use crate::proto::separate_response::Message as Received;

/// A song to be separated.
pub struct Request {
    /// What to do with it. `request_id` must be set, so that the call can be made again.
    pub config: proto::SeparationConfig,
    /// Its bytes; gone once they have been read from a pipe.
    pub song: Option<Box<dyn Song>>,
    /// Whether `song` can be read again from any position, so that a broken call can be mended.
    pub seekable: bool,
}

/// Where a song's bytes come from.
pub trait Song: Read + Seek + Send + 'static {}

impl<T: Read + Seek + Send + 'static> Song for T {}

/// Takes what the server says.
pub trait Sink {
    /// The session, first of all and whenever the connection has been made again.
    ///
    /// # Errors
    /// Ends the call.
    fn session(&mut self, session: &proto::Session) -> std::io::Result<()>;
    /// How far it is.
    fn progress(&mut self, progress: &proto::Progress);
    /// The next frames of a stem, each exactly once and in order.
    ///
    /// # Errors
    /// Ends the call.
    fn stem(&mut self, chunk: &proto::StemChunk) -> std::io::Result<()>;
    /// Another engine took over.
    fn engine_change(&mut self, change: &proto::EngineChange);
    /// The call failed and is made again after `pause`.
    fn reconnecting(&mut self, error: &ClientError, pause: Duration);
    /// Frames that every stem has, to go on from after a broken connection.
    fn frames(&self) -> u64;
}

/// Bytes of one chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks that are read ahead of the connection.
const CHUNKS_AHEAD: usize = 4;

/// How often a broken connection is made again without having got on, and how long to wait first.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Separates one song; answers the session in its final state.
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
    // A server that never answered need not be asked again: its address may be wrong.
    let mut answered = false;
    loop {
        let error = match attempt(server, &mut request, held.0, sink).await {
            Ok(session) => return Ok(session),
            Err(Broken { error, committed }) => {
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

/// Why an attempt ended, and how much of the upload the server held.
struct Broken {
    error: ClientError,
    committed: u64,
}

async fn attempt(
    server: &Server,
    request: &mut Request,
    committed: u64,
    sink: &mut dyn Sink,
) -> Result<proto::Session, Broken> {
    let mut progress = committed;
    let result = async {
        let mut stub = connect(server).await?;
        let offset = if committed > 0 { held(&mut stub, request).await? } else { 0 };
        progress = progress.max(offset);
        exchange(&mut stub, &server.url, request, offset, sink, &mut progress).await
    };
    let result = result.await;
    result.map_err(|error| Broken { error, committed: progress })
}

/// How much of the upload the server holds.
async fn held(stub: &mut Stub, request: &Request) -> Result<u64, ClientError> {
    let config = Some(request.config.clone());
    let created = stub.create_session(proto::CreateSessionRequest { config }).await?.into_inner();
    Ok(created.session.map(|session| session.committed_bytes).unwrap_or_default())
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
    // There is room, and the receiver is here.
    let _ = sender.try_send(first);
    let song = request
        .song
        .take()
        .ok_or_else(|| ClientError::Nonsense("the song cannot be read a second time".into()))?;
    let reader = Reader::start(song, request.seekable.then_some(offset), offset, sender)?;
    let result = receive(stub, url, receiver, sink, committed).await;
    if request.seekable {
        // The call has ended, so the reader's next chunk is its last.
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
                // The session is there even if no byte is: a broken call takes it over.
                *committed = (*committed).max(session.committed_bytes).max(1);
                sink.session(&session)?;
            }
            Some(Received::Progress(progress)) => sink.progress(&progress),
            Some(Received::Stem(chunk)) => sink.stem(&chunk)?,
            Some(Received::EngineChange(change)) => sink.engine_change(&change),
            Some(Received::Done(session)) if session.state() == proto::SessionState::Done => {
                return Ok(session);
            }
            // It has failed or was cancelled: the status that follows says it all.
            Some(Received::Done(_)) => {}
            None => return Err(ClientError::Nonsense("it ends without a result".into())),
        }
    }
}

/// Reads a song in a thread of its own: a pipe may take its time, and the answers come meanwhile.
struct Reader {
    ended: oneshot::Receiver<(Box<dyn Song>, io::Result<()>)>,
}

impl Reader {
    /// Sends the song from `seek` on, or from where it stands; that is `offset` in the upload.
    fn start(
        mut song: Box<dyn Song>,
        seek: Option<u64>,
        offset: u64,
        sender: mpsc::Sender<SeparateRequest>,
    ) -> io::Result<Reader> {
        let (tell, ended) = oneshot::channel();
        // Not joined: reading a pipe cannot be cancelled. It ends with the song, with the call
        // after its next chunk, or with the process.
        std::thread::Builder::new().name("song-read".into()).spawn(move || {
            let read = send_song(song.as_mut(), seek, offset, &sender);
            drop(sender);
            // Not needed any more once the call is over.
            let _ = tell.send((song, read));
        })?;
        Ok(Reader { ended })
    }

    async fn end(self) -> Result<(Box<dyn Song>, io::Result<()>), ClientError> {
        self.ended.await.map_err(|_| ClientError::Nonsense("reading the song panicked".into()))
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
            // The hash is of the whole upload, of which a continued one has only the rest.
            let sha256 = if offset == 0 { hash.finalize_reset().to_vec() } else { Vec::new() };
            Sent::Finish(proto::Finish { total_bytes: total, sha256 })
        };
        let sent = sender.blocking_send(SeparateRequest { message: Some(message) });
        // The call may have ended; its answer says why.
        if sent.is_err() || count == 0 {
            return Ok(());
        }
    }
}
