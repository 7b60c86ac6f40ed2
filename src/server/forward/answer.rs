//! The answer of another gateway, on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::gateways::ConnectionUse;
use super::relayed_body::{AnswerAlive, UploadFault};
use crate::separation::SeparationError;
use crate::server::memory_budget::Charge;
use crate::server::middleware::metrics::{ForwardOutcome, ForwardedCount};
use crate::server::status::{ApiError, to_status};

/// The headers of a status.
const STATUS: [HeaderName; 3] =
    [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS];

/// A call under way at another gateway.
pub(super) struct HeldCall {
    /// Dropped, it ends the call.
    pub(super) _alive: AnswerAlive,
    pub(super) _connection: ConnectionUse,
    pub(super) fault: UploadFault,
}

/// What a call has here while the other gateway answers it.
pub(super) struct RelayedCall {
    pub(super) held: HeldCall,
    /// For bytes of the answer that the client has not read.
    pub(super) memory: Charge,
    pub(super) deadline: Option<Instant>,
    /// Completes when this gateway stops.
    pub(super) stopped: GatewayStop,
    pub(super) count: ForwardedCount,
}

/// The body of the answer.
pub(in crate::server) struct RelayedAnswer {
    body: Incoming,
    held: HeldCall,
    _memory: Charge,
    deadline: Option<Pin<Box<Sleep>>>,
    stopped: GatewayStop,
    count: ForwardedCount,
    kind: AnswerKind,
    has_ended: bool,
}

/// How an answer ends that breaks off.
pub(super) enum AnswerKind {
    /// With the trailers `broken`. A whole one ends with a status.
    Grpc { broken: HeaderMap, status: StatusPlace },
    /// With its connection.
    Http,
}

/// Where the status of an answer of gRPC is.
pub(super) enum StatusPlace {
    /// In the trailers, which are to come.
    Trailers,
    /// In the headers.
    Headers,
    /// It was in the headers, and those of the client have been sent already: it becomes the trailers.
    Moved(HeaderMap),
}

/// The stop of this gateway.
pub(super) type GatewayStop = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) type PolledFrame = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

impl RelayedAnswer {
    pub(super) fn new(body: Incoming, call: RelayedCall, kind: AnswerKind) -> RelayedAnswer {
        let RelayedCall { held, memory, deadline, stopped, count } = call;
        let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        let (_memory, has_ended) = (memory, false);
        let mut answer =
            RelayedAnswer { body, held, _memory, deadline, stopped, count, kind, has_ended };
        answer.note_end();
        answer
    }

    /// Moves a status from the headers of the answer, which are not sent, into its trailers.
    pub(super) fn move_status(&mut self, headers: &HeaderMap) {
        if let AnswerKind::Grpc { status: status @ StatusPlace::Headers, .. } = &mut self.kind {
            *status = StatusPlace::Moved(status_headers(headers));
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> PolledFrame {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            // What the other gateway would say, if it still can.
            let late = trailers_of(&to_status(ApiError::DeadlineExceeded));
            return self.end(ForwardOutcome::Answered, Some(late));
        }
        if let AnswerKind::Grpc { status: StatusPlace::Trailers, .. } = self.kind
            && self.stopped.as_mut().poll(context).is_ready()
        {
            let stopping = trailers_of(&to_status(SeparationError::ShuttingDown.into()));
            return self.end(ForwardOutcome::Broken, Some(stopping));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => match frame.into_trailers() {
                Ok(trailers) => self.end(ForwardOutcome::Answered, Some(trailers)),
                Err(data) => {
                    self.note_end();
                    Poll::Ready(Some(Ok(data)))
                }
            },
            Poll::Ready(Some(Err(error))) => self.break_off(error.into()),
            Poll::Ready(None) => match &mut self.kind {
                AnswerKind::Grpc { status: StatusPlace::Trailers, .. } => {
                    self.break_off("the answer ended without a status".into())
                }
                AnswerKind::Grpc { status: StatusPlace::Moved(status), .. } => {
                    let status = std::mem::take(status);
                    self.end(ForwardOutcome::Answered, Some(status))
                }
                AnswerKind::Grpc { status: StatusPlace::Headers, .. } | AnswerKind::Http => {
                    self.end(ForwardOutcome::Answered, None)
                }
            },
        }
    }

    /// Whether a status is to follow the body.
    fn has_trailers(&self) -> bool {
        match &self.kind {
            AnswerKind::Grpc { status, .. } => !matches!(status, StatusPlace::Headers),
            AnswerKind::Http => false,
        }
    }

    /// Counts an answer whose last byte has come: its end may not be asked for.
    fn note_end(&mut self) {
        if !self.has_trailers() && self.body.is_end_stream() {
            self.count.end(ForwardOutcome::Answered);
        }
    }

    /// Ends an answer that is not whole.
    fn break_off(&mut self, error: axum::BoxError) -> PolledFrame {
        let AnswerKind::Grpc { broken, .. } = &mut self.kind else {
            self.has_ended = true;
            self.count.end(ForwardOutcome::Broken);
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        };
        let broken = std::mem::take(broken);
        match self.held.fault.take().and_then(status_of) {
            // The other gateway has ended the call because the client has sent what it must not.
            Some(refusal) => self.end(ForwardOutcome::Answered, Some(trailers_of(&refusal))),
            None => {
                tracing::debug!(%error, "the answer of another gateway broke off");
                self.end(ForwardOutcome::Broken, Some(broken))
            }
        }
    }

    fn end(&mut self, outcome: ForwardOutcome, trailers: Option<HeaderMap>) -> PolledFrame {
        self.has_ended = true;
        self.count.end(outcome);
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

impl HttpBody for RelayedAnswer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> PolledFrame {
        self.poll(context)
    }

    /// A status in headers must be in the last frame: a client of gRPC looks for it nowhere else.
    fn is_end_stream(&self) -> bool {
        self.has_ended || (!self.has_trailers() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self.kind {
            AnswerKind::Grpc { .. } => SizeHint::new(),
            AnswerKind::Http => self.body.size_hint(),
        }
    }
}

/// A status as the trailers of an answer.
pub(super) fn trailers_of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Messages and details are encoded.
    let _ = status.add_header(&mut trailers);
    trailers
}

/// The headers or trailers of a status, without others.
pub(super) fn status_headers(headers: &HeaderMap) -> HeaderMap {
    let of_status = headers.iter().filter(|(name, _)| STATUS.contains(name));
    of_status.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The status with which a middleware refused a message of the client; `None` if the client left.
pub(super) fn status_of(fault: axum::Error) -> Option<Status> {
    Status::try_from_error(fault.into_inner()).ok()
}
