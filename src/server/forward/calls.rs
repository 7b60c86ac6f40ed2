//! The layer that forwards calls of gRPC.
//!
//! A call that streams has sent the headers of its answer before it has read the session's name. Its error comes in trailers:
//! the other gateway's messages and trailers follow instead.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::middleware::Next;
use hyper::body::{Frame, SizeHint};
use tonic::Status;

use super::answer::{PolledFrame, RelayedAnswer, status_headers, status_of, trailers_of};
use super::{Forwarder, OriginalCall, RecordingLimit, RelayError};
use crate::server::deadline::within;
use crate::server::forward_headers::OWNER;
use crate::server::status::{ApiError, to_status};

/// What the paths of calls on sessions begin with.
const SERVICE: &str = "/stemwire.v1.SeparationService/";

/// The first message names the session. A handler that reads a second one has found it.
const FIRST_MESSAGE: RecordingLimit = RecordingLimit { frames: 1, bytes: usize::MAX };

/// Forwards a call if its session is another gateway's. The frames of its body are complete messages within their limits.
pub(in crate::server) async fn forward(
    State(forwarder): State<Arc<Forwarder>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if !request.uri().path().starts_with(SERVICE) {
        return next.run(request).await;
    }
    let (call, request) = OriginalCall::record(request, FIRST_MESSAGE);
    let mut response = next.run(request).await;
    if let Some(owner) = forwarder.owner(&call, response.headers_mut()) {
        let refused = status_headers(response.headers());
        return match answer(forwarder, call, owner, refused).await {
            Ok(response) => response.map(Body::new),
            Err(status) => of_status(status),
        };
    }
    match response.headers().contains_key(Status::GRPC_STATUS) {
        true => response,
        false => response.map(|body| Body::new(CallAnswer::new(body, forwarder, call))),
    }
}

/// The answer of the gateway that has the session, or the status with which the call ends.
async fn answer(
    forwarder: Arc<Forwarder>,
    call: OriginalCall,
    owner: String,
    refused: HeaderMap,
) -> Result<Response<RelayedAnswer>, HeaderMap> {
    let deadline = call.deadline;
    let relayed = forwarder.relay(call, &owner, |body| body, Some(refused.clone()));
    // On the heap, it does not enlarge the futures around it.
    match within(deadline, Box::pin(relayed)).await {
        Some(Ok(response)) => Ok(response),
        None => Err(trailers_of(&to_status(ApiError::DeadlineExceeded))),
        Some(Err(RelayError::Busy)) => Err(trailers_of(&to_status(ApiError::ServerBusy))),
        Some(Err(RelayError::Upload(fault))) => {
            Err(status_of(fault).map_or(refused, |status| trailers_of(&status)))
        }
        Some(Err(RelayError::Unrecorded | RelayError::Gateway(_) | RelayError::WrongSecret)) => {
            Err(refused)
        }
    }
}

/// The frame of a call that has begun here, so that it is not forwarded: it may lose its session to another gateway.
fn without_owner(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        trailers.remove(OWNER);
    }
    frame
}

/// A response that is a status alone.
fn of_status(status: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = status;
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// The body of an answer that is this gateway's own or another one's.
enum CallAnswer {
    /// Nothing has come.
    Undecided {
        body: Body,
        call: Option<Box<(Arc<Forwarder>, OriginalCall)>>,
    },
    /// A message has come: the session is here.
    Own(Body),
    /// The call is being forwarded.
    Forwarding(Pin<Box<dyn Future<Output = Result<Response<RelayedAnswer>, HeaderMap>> + Send>>),
    /// The other gateway answers.
    Relayed(Box<RelayedAnswer>),
    Ended,
}

impl CallAnswer {
    fn new(body: Body, forwarder: Arc<Forwarder>, call: OriginalCall) -> CallAnswer {
        CallAnswer::Undecided { body, call: Some(Box::new((forwarder, call))) }
    }

    /// The state after the first frame of an own answer, and that frame unless the call is forwarded.
    fn decide(&mut self, mut frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let CallAnswer::Undecided { body, call } = self else { return Some(frame) };
        let (body, call) = (std::mem::take(body), call.take());
        *self = CallAnswer::Own(body);
        let Some(call) = call else { return Some(frame) };
        let (forwarder, call) = *call;
        if let Some(trailers) = frame.trailers_mut()
            && let Some(owner) = forwarder.owner(&call, trailers)
        {
            let refused = std::mem::take(trailers);
            *self = CallAnswer::Forwarding(Box::pin(answer(forwarder, call, owner, refused)));
            return None;
        }
        Some(frame)
    }
}

impl HttpBody for CallAnswer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> PolledFrame {
        loop {
            match &mut *self {
                CallAnswer::Own(body) => {
                    let polled = Pin::new(body).poll_frame(context);
                    return polled.map_ok(without_owner);
                }
                CallAnswer::Relayed(answer) => return Pin::new(answer).poll_frame(context),
                CallAnswer::Ended => return Poll::Ready(None),
                CallAnswer::Undecided { body, .. } => {
                    match ready!(Pin::new(body).poll_frame(context)) {
                        Some(Ok(frame)) => {
                            if let Some(frame) = self.decide(frame) {
                                return Poll::Ready(Some(Ok(frame)));
                            }
                        }
                        other => return Poll::Ready(other),
                    }
                }
                CallAnswer::Forwarding(answer) => match ready!(answer.as_mut().poll(context)) {
                    Ok(response) => {
                        let (head, mut answer) = response.into_parts();
                        answer.move_status(&head.headers);
                        *self = CallAnswer::Relayed(Box::new(answer));
                    }
                    Err(status) => {
                        *self = CallAnswer::Ended;
                        return Poll::Ready(Some(Ok(Frame::trailers(status))));
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            CallAnswer::Undecided { body, .. } | CallAnswer::Own(body) => body.is_end_stream(),
            CallAnswer::Forwarding(_) => false,
            CallAnswer::Relayed(answer) => answer.is_end_stream(),
            CallAnswer::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            CallAnswer::Own(body) => body.size_hint(),
            _ => SizeHint::new(),
        }
    }
}
