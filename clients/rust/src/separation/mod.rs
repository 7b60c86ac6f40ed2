//! A session that is followed over any number of calls.

mod attempt;
mod event;
mod received;
mod save;
mod subject;

use std::time::Duration;

use attempt::Attempt;
pub use event::{Event, WatchOptions};
pub use received::Chunk;
use received::Received;
pub use save::SavedStems;
use subject::Subject;
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, set_request_id};
use crate::error::ClientError;
use crate::proto;
use crate::proto::separate_response::Message;
use crate::retry::Failures;
use crate::song::Song;

/// A session that is followed.
///
/// Nothing happens between two calls of [`next`](Separation::next), but that the song is read and sent. Chunks that are not
/// taken yet wait on the server. A separation that is dropped before its end leaves the session to its `on_disconnect` setting.
pub struct Separation {
    client: Client,
    subject: Subject,
    received: Received,
    state: State,
    failures: Failures,
    /// Whether the server may have the session.
    may_exist: bool,
    deadline: Option<Instant>,
}

enum State {
    /// Before a call.
    Idle,
    /// After this pause a call begins.
    Paused(Duration),
    /// A call is to be made.
    Calling,
    Open(Attempt),
    /// A chunk came before the rate of its samples was known.
    Waiting(Attempt, proto::StemChunk),
    Ended,
}

impl Separation {
    pub(crate) fn upload(
        client: Client,
        song: Song,
        mut config: proto::SeparationConfig,
    ) -> Separation {
        // Only a session with the caller's own `request_id` can exist already.
        let may_exist = !config.request_id.is_empty();
        set_request_id(&mut config);
        let caller = uuid::Uuid::new_v4().to_string();
        config.attempt = Some(proto::CallAttempt { caller, number: 0 });
        let output = config.output.unwrap_or_default();
        let received =
            Received::new(output.encoding(), output.gain, config.start_frame, Vec::new());
        let subject = Subject::Upload { config: Box::new(config), song: Some(song) };
        Separation::of(client, subject, received, may_exist)
    }

    pub(crate) fn watch(client: Client, session_id: String, options: WatchOptions) -> Separation {
        let WatchOptions { stems, start_frame, encoding, gain, .. } = options.clone();
        let received = Received::new(encoding, gain, start_frame, stems);
        Separation::of(client, Subject::Watch { session_id, options }, received, true)
    }

    fn of(client: Client, subject: Subject, received: Received, may_exist: bool) -> Separation {
        let (state, failures) = (State::Idle, Failures::default());
        Separation { client, subject, received, state, failures, may_exist, deadline: None }
    }

    /// Limits the time until the last event, from now on: [`next`](Separation::next) ends with `DEADLINE_EXCEEDED` then, and the
    /// session is left to its `on_disconnect` setting.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Separation {
        self.deadline = Instant::now().checked_add(limit);
        self
    }

    /// The settings of an upload, with its `request_id`; `None` for a session that is watched.
    pub fn config(&self) -> Option<&proto::SeparationConfig> {
        match &self.subject {
            Subject::Upload { config, .. } => Some(config),
            Subject::Watch { .. } => None,
        }
    }

    /// The session as last received.
    pub fn session(&self) -> Option<&proto::Session> {
        self.received.session()
    }

    /// The next event; `None` after [`Event::Done`].
    ///
    /// A dropped future of this may lose an event.
    ///
    /// # Errors
    /// The session or the call has failed, and a retry cannot help.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        let Some(deadline) = self.deadline else { return self.next_event().await };
        match timeout_at(deadline, self.next_event()).await {
            Ok(event) => event,
            Err(_) => {
                self.state = State::Ended;
                Err(ClientError::late("the time limit of the separation has passed"))
            }
        }
    }

    async fn next_event(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if matches!(self.state, State::Ended) {
                return Ok(None);
            }
            match self.step().await {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => return self.after(error).await.map(Some),
            }
        }
    }

    /// Receives to the end and drops the chunks; returns the session in its final state.
    ///
    /// # Errors
    /// As [`Separation::next`].
    pub async fn wait(&mut self) -> Result<proto::Session, ClientError> {
        while self.next().await?.is_some() {}
        Ok(self.session().cloned().unwrap_or_default())
    }

    /// Does what the state asks for; not every step has an event.
    async fn step(&mut self) -> Result<Option<Event>, ClientError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {
                self.state = State::Calling;
                Ok(Some(Event::Calling))
            }
            State::Paused(pause) => {
                tokio::time::sleep(pause).await;
                Ok(None)
            }
            State::Calling => {
                self.state = State::Open(self.call().await?);
                Ok(None)
            }
            State::Open(mut attempt) => {
                let message = attempt.message().await;
                self.state = State::Open(attempt);
                self.failures.answered();
                self.received(message?).await
            }
            State::Waiting(attempt, chunk) => {
                self.state = State::Open(attempt);
                Ok(self.received.new_frames(chunk)?.map(Event::Chunk))
            }
            State::Ended => {
                self.state = State::Ended;
                Ok(None)
            }
        }
    }

    async fn call(&mut self) -> Result<Attempt, ClientError> {
        match &mut self.subject {
            Subject::Upload { config, song } => {
                // One that is delayed on its way must not take the session from a later one.
                if let Some(attempt) = &mut config.attempt {
                    attempt.number = attempt.number.saturating_add(1);
                }
                let mut config = (**config).clone();
                if self.may_exist {
                    let session = Attempt::session_of(self.client.server(), &config).await?;
                    config.upload_offset = session.committed_bytes;
                    self.received.set_session(session);
                    config.start_frame = self.received.resume_frame();
                }
                let lost = || ClientError::Protocol("the song cannot be read a second time".into());
                let song = song.take().ok_or_else(lost)?;
                self.may_exist = true;
                let attempt = Attempt::separate(self.client.server(), config, song).await;
                attempt.map_err(|(error, unsent)| {
                    self.subject.put_back(unsent);
                    error
                })
            }
            Subject::Watch { session_id, options } => {
                let server = self.client.server();
                if self.received.stems().is_empty() {
                    let session = Attempt::session(server, session_id).await?;
                    self.received.set_session(session);
                }
                let cursor = |name: &str| proto::StemCursor {
                    stem: name.to_owned(),
                    start_frame: self.received.next_frame(name),
                };
                let request = proto::WatchSessionRequest {
                    session_id: session_id.clone(),
                    stems: self.received.stems().into_iter().map(cursor).collect(),
                    progress_only: false,
                    encoding: options.encoding.into(),
                    gain: options.gain,
                    channels: options.channels.into(),
                };
                Attempt::watch(server, request).await
            }
        }
    }

    /// Applies a message.
    async fn received(&mut self, message: Option<Message>) -> Result<Option<Event>, ClientError> {
        let event = match message {
            Some(Message::Session(session)) => {
                self.received.set_session(session.clone());
                Event::Session(session)
            }
            Some(Message::Progress(progress)) => Event::Progress(progress),
            Some(Message::Stem(chunk)) => return self.received_chunk(chunk).await,
            Some(Message::EngineChange(change)) => {
                if !self.received.is_new(&change) {
                    return Ok(None);
                }
                Event::EngineChange(change)
            }
            Some(Message::Done(session)) if session.state() == proto::SessionState::Done => {
                self.received.set_session(session.clone());
                self.received.verify(&session)?;
                self.end().await?;
                Event::Done(session)
            }
            // The session failed or was cancelled: the status that follows is the error.
            Some(Message::Done(_)) => return Ok(None),
            None => return Err(ClientError::Protocol("the call ended without a result".into())),
        };
        Ok(Some(event))
    }

    /// The session was received before its upload was decoded. By now its rate is known.
    async fn received_chunk(
        &mut self,
        chunk: proto::StemChunk,
    ) -> Result<Option<Event>, ClientError> {
        if self.received.sample_rate().is_some() {
            return Ok(self.received.new_frames(chunk)?.map(Event::Chunk));
        }
        let id = self.session().map(|session| session.session_id.clone()).unwrap_or_default();
        let session = Attempt::session(self.client.server(), &id).await?;
        self.received.set_session(session.clone());
        if let State::Open(attempt) = std::mem::replace(&mut self.state, State::Idle) {
            self.state = State::Waiting(attempt, chunk);
        }
        Ok(Some(Event::Session(session)))
    }

    /// Closes the call of a session that is done.
    async fn end(&mut self) -> Result<(), ClientError> {
        let State::Open(attempt) = std::mem::replace(&mut self.state, State::Ended) else {
            return Ok(());
        };
        let Some((mut song, read)) = attempt.close().await? else { return Ok(()) };
        if song.reads_whole() {
            read?;
            song.read_rest().await?;
        }
        Ok(())
    }

    /// What follows an error: a new call, or the end.
    async fn after(&mut self, error: ClientError) -> Result<Event, ClientError> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        if let State::Open(attempt) | State::Waiting(attempt, _) = state
            && let Some((song, read)) = attempt.close().await?
        {
            // What ended the upload ended the call.
            read?;
            self.subject.put_back(song);
        }
        let pause = self.failures.pause(self.client.retry(), &error, self.received.position());
        let Some(pause) = pause else { return Err(error) };
        self.state = State::Paused(pause);
        Ok(Event::Reconnecting { error, pause })
    }
}
