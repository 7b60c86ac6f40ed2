//! Forwards calls on sessions that another gateway has to that gateway, by HTTP/2, whatever they are: gRPC, grpc-web (as
//! gRPC) and plain HTTP.
//!
//! A call is made here first. If its session is another gateway's, the error names that gateway ([`forward_headers::OWNER`]), and the
//! call is made again there, with what was read of its body ([`recording`]) in front of the rest ([`relayed_body`]).
//! So a call on a session of this gateway looks up nothing more than before. The answer ([`answer`]) streams back as the client
//! reads it. [`calls`] is the layer of gRPC; that of plain HTTP is in [`rest`](super::rest).
//!
//! [`asking`] makes a call of a client at all gateways, where this one answers with what they have.
//!
//! A call is forwarded once ([`forward_headers`]). Where it cannot be, its own error is the answer: UNAVAILABLE, to be tried again.

mod answer;
mod asking;
mod call;
pub(super) mod calls;
mod gateways;
mod recording;
mod relayed_body;
mod tls;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Extensions, HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::{Code, Status};

pub(super) use call::OriginalCall;
pub(super) use recording::RecordingLimit;

use answer::{AnswerKind, HeldCall, RelayedAnswer, RelayedCall, StatusPlace};
use gateways::{ANSWER_WINDOW, GatewayConnections, GatewayError};
use relayed_body::RelayedBody;
use tls::GatewayTls;

use super::credentials::Credentials;
use super::forward_headers::{self, HopRules};
use super::memory_budget::Budget;
use super::middleware::metrics::{ForwardMetrics, ForwardOutcome};
use super::refusal_log;
use crate::trace::TraceContext;

/// Forwards calls.
pub(super) struct Forwarder {
    /// The name of this gateway.
    name: String,
    hops: HopRules,
    gateways: GatewayConnections,
    /// Memory for bytes of answers that clients have not read.
    memory: Arc<Budget>,
    metrics: ForwardMetrics,
    /// Whether this gateway stops.
    stopping: watch::Sender<bool>,
}

/// Why a call was not answered by the other gateway.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// More of the body was read than is kept.
    #[error("too much of the request has been read")]
    Unrecorded,
    /// There is no memory for the answer.
    #[error("there is no memory for the answer")]
    Busy,
    /// The client has sent what it must not, or has left.
    #[error("the request cannot be read: {0}")]
    Upload(axum::Error),
    /// The other gateway does not answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The other gateway has another secret.
    #[error("the other gateway does not accept the cluster secret of this one")]
    WrongSecret,
}

impl Forwarder {
    /// Forwards calls as the gateway `name`.
    pub(super) fn new(
        name: String,
        hops: HopRules,
        credentials: &Arc<Credentials>,
        memory: Arc<Budget>,
    ) -> Forwarder {
        let tls = GatewayTls::of(credentials).unwrap_or_else(|error| {
            tracing::error!(%error, "calls cannot be forwarded by TLS");
            None
        });
        let (gateways, metrics) = (GatewayConnections::new(tls), ForwardMetrics::default());
        Forwarder { name, hops, gateways, memory, metrics, stopping: watch::Sender::new(false) }
    }

    /// Ends streams of gRPC that are forwarded, as those of this gateway end: their clients continue elsewhere.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Its metrics.
    pub(super) fn metrics(&self) -> &ForwardMetrics {
        &self.metrics
    }

    /// The gateway to which a refused call is to be forwarded. Removes its address from the headers or trailers of the answer.
    pub(super) fn owner(&self, call: &OriginalCall, answer: &mut HeaderMap) -> Option<String> {
        let owner = answer.remove(forward_headers::OWNER)?;
        if call.is_forwarded {
            // The session has moved meanwhile. The client tries again.
            self.metrics.count(&call.label(), ForwardOutcome::Elsewhere);
            return None;
        }
        owner.to_str().ok().map(str::to_owned)
    }

    /// Makes a call at another gateway. `limited` applies the limits of this gateway to the rest of its body, and `broken` has
    /// the trailers of an answer of gRPC that breaks off.
    ///
    /// # Errors
    /// [`RelayError`]; the answer has not begun.
    pub(super) async fn relay(
        &self,
        call: OriginalCall,
        owner: &str,
        limited: impl FnOnce(Body) -> Body,
        broken: Option<HeaderMap>,
    ) -> Result<Response<RelayedAnswer>, RelayError> {
        let mut count = self.metrics.begin(call.label(), owner, &call.trace);
        let trace = count.trace();
        let deadline = call.deadline;
        let sent = async {
            let memory = self.memory.take_in_time(ANSWER_WINDOW as usize).await;
            let memory = memory.ok_or(RelayError::Busy)?;
            let (response, held) = self.send(call, &trace, owner, limited).await?;
            Ok((response, held, memory))
        };
        let (response, held, memory) = sent.await.inspect_err(|error: &RelayError| {
            count.end(error.outcome());
            refusal_log::note_not_forwarded(owner, error);
        })?;
        let (mut head, body) = response.into_parts();
        // Of the connection to the other gateway.
        (head.version, head.extensions) = (Version::default(), Extensions::new());
        let kind = match broken {
            None => AnswerKind::Http,
            Some(broken) => {
                // Trailers may be added.
                head.headers.remove(CONTENT_LENGTH);
                let in_headers = head.headers.contains_key(Status::GRPC_STATUS);
                let status = if in_headers { StatusPlace::Headers } else { StatusPlace::Trailers };
                AnswerKind::Grpc { broken, status }
            }
        };
        let mut stopping = self.stopping.subscribe();
        let stopped = Box::pin(async move {
            // An error would mean that the server has ended.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        });
        let call = RelayedCall { held, memory, deadline, stopped, count };
        Ok(Response::from_parts(head, RelayedAnswer::new(body, call, kind)))
    }

    async fn send(
        &self,
        call: OriginalCall,
        trace: &TraceContext,
        owner: &str,
        limited: impl FnOnce(Body) -> Body,
    ) -> Result<(Response<Incoming>, HeldCall), RelayError> {
        let address = self.gateways.address(owner)?;
        let mut headers = call.headers(trace);
        self.hops.mark(&mut headers, &self.name, call.client, &call.prefix);
        let uri = address.uri(&call.target);
        let uri = uri.ok_or_else(|| GatewayError::Address(owner.to_owned()))?;
        let (read, rest) = call.recording.take().ok_or(RelayError::Unrecorded)?;
        let (body, alive, fault) = RelayedBody::new(read, rest.map(limited));
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut()) = (call.method, uri);
        (*request.version_mut(), *request.headers_mut()) = (Version::HTTP_2, headers);
        let sent = self.gateways.send(&address, request).await;
        let (response, connection) = sent.map_err(|error| match fault.take() {
            Some(fault) => RelayError::Upload(fault),
            None => error.into(),
        })?;
        match self.hops.has_secret() && is_refusal(&response) {
            true => Err(RelayError::WrongSecret),
            false => Ok((response, HeldCall { _alive: alive, _connection: connection, fault })),
        }
    }
}

impl RelayError {
    fn outcome(&self) -> ForwardOutcome {
        match self {
            RelayError::Upload(_) => ForwardOutcome::Abandoned,
            RelayError::Unrecorded | RelayError::Busy => ForwardOutcome::Refused,
            RelayError::Gateway(_) | RelayError::WrongSecret => ForwardOutcome::Unreachable,
        }
    }
}

/// Whether a gateway has refused a call for what its client is. It does not where it believes this gateway.
fn is_refusal(response: &Response<Incoming>) -> bool {
    let code = response.headers().get(Status::GRPC_STATUS);
    match code.map(|code| Code::from_bytes(code.as_bytes())) {
        Some(code) => matches!(code, Code::Unauthenticated | Code::PermissionDenied),
        None => matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
    }
}

#[cfg(test)]
mod tests;
