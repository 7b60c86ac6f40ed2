//! Calls that are answered once, and the entry to those that stream.

use std::time::Duration;

use crate::error::ClientError;
use crate::proto;
use crate::retry::{Failures, Retry};
use crate::separation::{Separation, WatchOptions};
use crate::server::{Server, Stub, connect};
use crate::song::Song;

/// Time limit of a call that is answered once.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// A client of one server. Each call has a connection of its own, so that a client may be used on any runtime.
///
/// A call whose connection breaks, or that the server offers to be repeated, is repeated by the rules of [`Retry`].
#[derive(Debug, Clone)]
pub struct Client {
    server: Server,
    retry: Retry,
}

impl Client {
    /// A client; does not connect.
    pub fn new(server: impl Into<Server>) -> Client {
        Client { server: server.into(), retry: Retry::default() }
    }

    /// Replaces the rules of retries.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Client {
        self.retry = retry;
        self
    }

    /// Address and credentials.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Sends a song and receives its stems. Nothing is sent before [`Separation::next`].
    ///
    /// With a `request_id` of the caller the session of an earlier call, or of another process, is continued: only the missing
    /// bytes are sent. Without one a new UUID is set.
    pub fn separate(&self, song: Song, config: proto::SeparationConfig) -> Separation {
        Separation::upload(self.clone(), song, config)
    }

    /// Receives the stems of an existing session. A paused one whose upload is complete is resumed.
    pub fn watch(&self, session_id: impl Into<String>, options: WatchOptions) -> Separation {
        Separation::watch(self.clone(), session_id.into(), options)
    }

    /// Reads one stem of a session from any frame; waits for frames that are not final yet. Not repeated.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_stem(
        &self,
        request: proto::GetStemRequest,
    ) -> Result<tonic::Streaming<proto::GetStemResponse>, ClientError> {
        let mut stub = connect(&self.server).await?;
        Ok(stub.get_stem(request).await?.into_inner())
    }

    /// Whether the server accepts sessions, and its load.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<proto::HealthResponse, ClientError> {
        self.call(async |mut stub| stub.health(proto::HealthRequest {}).await).await
    }

    /// The models of the server, those of its chain first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn models(&self) -> Result<Vec<proto::Model>, ClientError> {
        let request = async |mut stub: Stub| stub.list_models(proto::ListModelsRequest {}).await;
        Ok(self.call(request).await?.models)
    }

    /// The current state of a session.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn session(&self, session_id: &str) -> Result<proto::Session, ClientError> {
        let request = proto::GetSessionRequest { session_id: session_id.to_owned() };
        let answer = self.call(async |mut stub| stub.get_session(request.clone()).await).await?;
        Ok(answer.session.unwrap_or_default())
    }

    /// A page of sessions, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sessions(
        &self,
        request: proto::ListSessionsRequest,
    ) -> Result<proto::ListSessionsResponse, ClientError> {
        self.call(async |mut stub| stub.list_sessions(request.clone()).await).await
    }

    /// Creates a session, or returns the earlier one with this `request_id`. Without one a new UUID is set, so that a repeated
    /// call creates no second session.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_session(
        &self,
        mut config: proto::SeparationConfig,
    ) -> Result<proto::Session, ClientError> {
        set_request_id(&mut config);
        let request = proto::CreateSessionRequest { config: Some(config) };
        let answer = self.call(async |mut stub| stub.create_session(request.clone()).await).await?;
        Ok(answer.session.unwrap_or_default())
    }

    /// Cancels a session; its final frames stay readable. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(&self, session_id: &str) -> Result<proto::Session, ClientError> {
        let request = proto::CancelSessionRequest { session_id: session_id.to_owned() };
        let answer = self.call(async |mut stub| stub.cancel_session(request.clone()).await).await?;
        Ok(answer.session.unwrap_or_default())
    }

    /// Cancels the session of a request, and returns its id. If there is none, one is created: a call that is still on its way
    /// then finds it cancelled.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel_request(
        &self,
        config: proto::SeparationConfig,
    ) -> Result<String, ClientError> {
        let session_id = self.create_session(config).await?.session_id;
        self.cancel(&session_id).await?;
        Ok(session_id)
    }

    /// Deletes a session and its files; a running one is cancelled first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(&self, session_id: &str) -> Result<(), ClientError> {
        let request = proto::DeleteSessionRequest { session_id: session_id.to_owned() };
        self.call(async |mut stub| stub.delete_session(request.clone()).await).await?;
        Ok(())
    }

    /// The rules of retries.
    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// A call that may be repeated.
    async fn call<T>(
        &self,
        call: impl AsyncFn(Stub) -> Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<T, ClientError> {
        let mut failures = Failures::default();
        loop {
            let attempt = async { Ok(call(connect(&self.server).await?).await?.into_inner()) };
            let error = match tokio::time::timeout(CALL_LIMIT, attempt).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => ClientError::unanswered(CALL_LIMIT),
            };
            match failures.pause(&self.retry, &error, (0, 0)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }
}

/// Sets a new UUID where the caller has set none.
pub(crate) fn set_request_id(config: &mut proto::SeparationConfig) {
    if config.request_id.is_empty() {
        config.request_id = uuid::Uuid::new_v4().to_string();
    }
}
