//! `Separate`: a song streams in, its stems stream out.

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use prost::bytes::Bytes;
use tokio::time::{Instant, timeout};
use tonic::{Code, Request, Status, Streaming};
use tracing::Instrument;

use super::Answers;
use super::follow::{EventCursor, Followed, all_readers, first_frame, follow};
use super::outbox::{Outbox, outbox};
use super::read_ahead::ReadAhead;
use crate::proto;
use crate::proto::separate_request::Message;
use crate::separation::Separations;
use crate::server::connections::client_of;
use crate::server::deadline;
use crate::server::deadline::within;
use crate::server::memory_budget::Budget;
use crate::server::middleware::messages::MAX_CHUNK_MESSAGE_BYTES;
use crate::server::status::{ApiError, to_status};
use crate::server::uploading::{add_chunk_of_call, finish_upload_of_call};
use crate::server::{blocking, convert};
use crate::session::live::CallAttempt;
use crate::session::{Session, Settings};

/// Returns the response stream at once and works in a task: a client may wait for it before it sends anything.
pub(super) fn start(
    separations: Arc<Separations>,
    request: Request<Streaming<proto::SeparateRequest>>,
    memory: Arc<Budget>,
) -> Answers<proto::SeparateResponse> {
    let (sender, answers) = outbox(memory);
    let deadline = deadline::of(request.metadata());
    let client = client_of(request.extensions());
    let requests = request.into_inner();
    let work = async move {
        let call = Box::pin(call(separations, client, requests, &sender, deadline));
        if let Err(status) = call.await {
            // The send fails only if the client has disconnected.
            let _ = sender.send(Err(status)).await;
        }
    };
    tokio::spawn(work.in_current_span());
    answers
}

/// Why a call ends before its session.
enum EarlyEnd {
    /// The upload broke off or violated the protocol.
    Upload(Status),
    /// The client has disconnected.
    ClientGone,
    /// Another call has taken over the session.
    TakenOver,
    /// The deadline of the call has passed.
    Deadline,
}

async fn call(
    separations: Arc<Separations>,
    client: Option<IpAddr>,
    mut requests: Streaming<proto::SeparateRequest>,
    sender: &Outbox<proto::SeparateResponse>,
    deadline: Option<Instant>,
) -> Result<(), Status> {
    let patience = separations.limits().idle_upload;
    let config = first_message(&mut requests, patience).await?;
    let settings = convert::settings(&config).map_err(to_status)?;
    let opening = Arc::clone(&separations);
    let attempt = convert::attempt(&config).map_err(to_status)?;
    let opened = blocking::run(move || open(&opening, client, settings, attempt)).await?;
    let (session, number) = opened.map_err(to_status)?;
    let form = convert::stem_format(&session, 0, 0.0, 0).map_err(to_status)?;
    let readers =
        all_readers(&session, convert::frame(config.start_frame), form).map_err(to_status)?;
    let (first, cursor) = EventCursor::begin(&session, first_frame(&readers));
    let upload =
        UploadStream { separations: &separations, session: &session, call: number, patience };
    let work = async {
        if sender.send(Ok(first.into())).await.is_err() {
            return Err(EarlyEnd::ClientGone);
        }
        let following = async {
            match follow(&session, readers, cursor, sender, Some(number)).await {
                Followed::ToTheEnd => Ok(()),
                Followed::ClientGone => Err(EarlyEnd::ClientGone),
                Followed::TakenOver => Err(EarlyEnd::TakenOver),
            }
        };
        tokio::select! {
            // The session's own end is a more precise error than its effect on the upload.
            biased;
            result = following => result,
            error = upload.run(&mut requests, config.upload_offset) => Err(error),
        }
    };
    // It holds messages; on the heap they do not enlarge the futures around it.
    let work = Box::pin(work);
    let broken = match within(deadline, work).await.unwrap_or(Err(EarlyEnd::Deadline)) {
        Ok(()) => return Ok(()),
        Err(broken) => broken,
    };
    if let EarlyEnd::TakenOver = broken {
        return Err(to_status(ApiError::TakenOver));
    }
    let leaving = (Arc::clone(&separations), Arc::clone(&session));
    blocking::run(move || leaving.0.client_left(&leaving.1, number)).await?;
    match broken {
        EarlyEnd::Upload(status) => Err(status),
        EarlyEnd::Deadline => Err(to_status(ApiError::DeadlineExceeded)),
        EarlyEnd::ClientGone | EarlyEnd::TakenOver => Ok(()),
    }
}

/// Receives the config, which must be the first message.
async fn first_message(
    requests: &mut Streaming<proto::SeparateRequest>,
    patience: Duration,
) -> Result<proto::SeparationConfig, Status> {
    let idle = || ApiError::UploadIdle { seconds: patience.as_secs(), committed: 0 };
    let first = timeout(patience, requests.message()).await.map_err(|_| to_status(idle()))?;
    match first.map_err(transport)?.and_then(|request| request.message) {
        Some(Message::Config(config)) => Ok(config),
        _ => Err(to_status(ApiError::ConfigMissing)),
    }
}

/// Creates or takes over the session. Also returns the number under which this call holds it.
fn open(
    separations: &Separations,
    client: Option<IpAddr>,
    settings: Settings,
    attempt: Option<CallAttempt>,
) -> Result<(Arc<Session>, u64), ApiError> {
    let (session, _) = separations.create_for(client, settings)?;
    let call = separations.take_over(&session, attempt)?.ok_or(ApiError::TakenOver)?;
    Ok((session, call))
}

/// The request stream of a call.
struct UploadStream<'a> {
    separations: &'a Arc<Separations>,
    session: &'a Arc<Session>,
    call: u64,
    /// Time limit for the next message.
    patience: Duration,
}

impl UploadStream<'_> {
    /// Receives the upload, then waits. Returns only on an error.
    async fn run(
        &self,
        requests: &mut Streaming<proto::SeparateRequest>,
        mut offset: u64,
    ) -> EarlyEnd {
        let mut ahead = ReadAhead::default();
        loop {
            let message = match self.next(requests, &mut ahead).await {
                Ok(Some(message)) => message,
                // The upload is complete; the response stream ends the call.
                Ok(None) if self.session.manifest().upload_complete() => return pending().await,
                Ok(None) => {
                    let committed = self.session.durable_bytes();
                    return broken(ApiError::UploadUnfinished { committed });
                }
                Err(broken) => return broken,
            };
            let taken = match message {
                Message::Config(_) => Err(ApiError::ConfigRepeated),
                Message::Chunk(bytes) => {
                    let (at, length) = (offset, bytes.len());
                    offset += length as u64;
                    ahead.read_during(requests, length, self.add(at, bytes)).await
                }
                Message::Finish(finish) => self.finish(finish).await,
            };
            if let Err(error) = taken {
                if self.session.state().is_ended() || self.session.is_removed() {
                    // The response stream reports how it ended, which is more precise than the error here.
                    return discard(requests).await;
                }
                return broken(error);
            }
        }
    }

    async fn next(
        &self,
        requests: &mut Streaming<proto::SeparateRequest>,
        ahead: &mut ReadAhead,
    ) -> Result<Option<Message>, EarlyEnd> {
        let complete = self.session.manifest().upload_complete();
        let message = if complete {
            ahead.next(requests).await
        } else {
            match timeout(self.patience, ahead.next(requests)).await {
                Ok(message) => message,
                Err(_) => {
                    let seconds = self.patience.as_secs();
                    let committed = self.session.durable_bytes();
                    return Err(broken(ApiError::UploadIdle { seconds, committed }));
                }
            }
        };
        match message {
            Ok(None) => Ok(None),
            Ok(Some(request)) => match request.message {
                Some(message) => Ok(Some(message)),
                None => Err(broken(ApiError::MessageEmpty)),
            },
            // The connection is broken: no response can be sent.
            Err(status) if matches!(status.code(), Code::Cancelled | Code::Unknown) => {
                Err(EarlyEnd::ClientGone)
            }
            Err(status) => Err(EarlyEnd::Upload(transport(status))),
        }
    }

    async fn add(&self, at: u64, bytes: Bytes) -> Result<(), ApiError> {
        let (separations, session) = (Arc::clone(self.separations), Arc::clone(self.session));
        let call = self.call;
        let added =
            blocking::run(move || add_chunk_of_call(&separations, &session, call, at, &bytes));
        added.await.unwrap_or(Ok(()))
    }

    async fn finish(&self, finish: proto::Finish) -> Result<(), ApiError> {
        let (separations, session) = (Arc::clone(self.separations), Arc::clone(self.session));
        let call = self.call;
        let finished =
            blocking::run(move || finish_upload_of_call(&separations, &session, call, &finish));
        finished.await.unwrap_or(Ok(()))
    }
}

/// Discards the rest of the upload: unread, it would stay in memory.
async fn discard(requests: &mut Streaming<proto::SeparateRequest>) -> EarlyEnd {
    while let Ok(Some(_)) = requests.message().await {}
    pending().await
}

fn broken(error: ApiError) -> EarlyEnd {
    EarlyEnd::Upload(to_status(error))
}

/// An error of the transport, with a reason if the client can avoid it.
fn transport(status: Status) -> Status {
    match status.code() {
        // The middleware has given a reason.
        _ if !status.details().is_empty() => status,
        Code::OutOfRange | Code::ResourceExhausted => {
            to_status(ApiError::MessageTooLarge { limit: MAX_CHUNK_MESSAGE_BYTES })
        }
        _ => status,
    }
}
