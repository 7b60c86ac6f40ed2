//! One call of a session.

use std::io;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::error::ClientError;
use crate::proto;
use crate::proto::separate_request::Message as Sent;
use crate::proto::separate_response::Message;
use crate::proto::watch_session_response::Message as Watched;
use crate::proto::{SeparateRequest, SeparateResponse, WatchSessionResponse};
use crate::server::{Server, connect};
use crate::song::Song;

/// Messages that wait for the connection.
const MESSAGES_AHEAD: usize = 4;

/// A call that is open.
pub(super) struct Attempt {
    answers: Answers,
    upload: Option<Upload>,
}

enum Answers {
    Separate(Streaming<SeparateResponse>),
    Watch(Streaming<WatchSessionResponse>),
}

/// The song while it is sent: with the error that reading it ended with.
type Upload = JoinHandle<(Song, io::Result<()>)>;

impl Attempt {
    /// The session of a request; created if there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn session_of(
        server: &Server,
        config: &proto::SeparationConfig,
    ) -> Result<proto::Session, ClientError> {
        let request = proto::CreateSessionRequest { config: Some(config.clone()) };
        let answer = connect(server).await?.create_session(request).await?.into_inner();
        Ok(answer.session.unwrap_or_default())
    }

    /// The state of a session.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn session(
        server: &Server,
        session_id: &str,
    ) -> Result<proto::Session, ClientError> {
        let request = proto::GetSessionRequest { session_id: session_id.to_owned() };
        let answer = connect(server).await?.get_session(request).await?.into_inner();
        Ok(answer.session.unwrap_or_default())
    }

    /// Starts to send a song from `config.upload_offset` on.
    ///
    /// # Errors
    /// [`ClientError`], and the song.
    pub(super) async fn separate(
        server: &Server,
        config: proto::SeparationConfig,
        song: Song,
    ) -> Result<Attempt, (ClientError, Song)> {
        let mut stub = match connect(server).await {
            Ok(stub) => stub,
            Err(error) => return Err((error, song)),
        };
        let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
        let upload = tokio::spawn(send(song, config, sender));
        match stub.separate(ReceiverStream::new(receiver)).await {
            Ok(answers) => {
                let answers = Answers::Separate(answers.into_inner());
                Ok(Attempt { answers, upload: Some(upload) })
            }
            Err(status) => {
                let error = ClientError::before_answer(&server.url, status);
                match upload.await {
                    Ok((song, Ok(()))) => Err((error, song)),
                    Ok((song, Err(read))) => Err((read.into(), song)),
                    Err(panic) => Err((io::Error::other(panic).into(), Song::bytes([]))),
                }
            }
        }
    }

    /// Watches a session.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn watch(
        server: &Server,
        request: proto::WatchSessionRequest,
    ) -> Result<Attempt, ClientError> {
        let answers = connect(server).await?.watch_session(request).await?.into_inner();
        Ok(Attempt { answers: Answers::Watch(answers), upload: None })
    }

    /// The next message; `None` at the end of the call.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn message(&mut self) -> Result<Option<Message>, ClientError> {
        Ok(match &mut self.answers {
            Answers::Separate(answers) => answers.message().await?.and_then(|m| m.message),
            Answers::Watch(answers) => {
                let message = answers.message().await?.and_then(|answer| answer.message);
                message.map(|message| match message {
                    Watched::Session(session) => Message::Session(session),
                    Watched::Progress(progress) => Message::Progress(progress),
                    Watched::Stem(chunk) => Message::Stem(chunk),
                    Watched::EngineChange(change) => Message::EngineChange(change),
                    Watched::Done(session) => Message::Done(session),
                })
            }
        })
    }

    /// Ends the call. Returns the song, if one was sent, and the error that reading it ended with.
    ///
    /// # Errors
    /// Reading the song panicked.
    pub(super) async fn close(self) -> Result<Option<(Song, io::Result<()>)>, ClientError> {
        let Attempt { answers, upload } = self;
        drop(answers);
        let Some(upload) = upload else { return Ok(None) };
        Ok(Some(upload.await.map_err(io::Error::other)?))
    }
}

/// Sends the settings and the song, until the call ends.
async fn send(
    mut song: Song,
    config: proto::SeparationConfig,
    sender: mpsc::Sender<SeparateRequest>,
) -> (Song, io::Result<()>) {
    let mut offset = config.upload_offset;
    let mut next = Sent::Config(config);
    loop {
        let is_finish = matches!(next, Sent::Finish(_));
        let sent = sender.send(SeparateRequest { message: Some(next) }).await;
        // If the call has ended, its error is reported by its answers.
        if sent.is_err() || is_finish {
            return (song, Ok(()));
        }
        // A stream may wait for ever; a file must not be left while it is read.
        let is_stream = song.is_stream();
        let piece = tokio::select! {
            piece = song.read(offset) => piece,
            () = sender.closed(), if is_stream => return (song, Ok(())),
        };
        next = match piece {
            // Without `finish` the server treats the upload as interrupted.
            Err(error) => return (song, Err(error)),
            Ok(piece) if piece.is_empty() => {
                let sha256 = song.sha256(offset);
                Sent::Finish(proto::Finish { total_bytes: offset, sha256 })
            }
            Ok(piece) => {
                offset += piece.len() as u64;
                Sent::Chunk(piece)
            }
        };
    }
}
