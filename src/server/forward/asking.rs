//! Makes a call of a client at all other gateways, so that this one can answer with what they have.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{Forwarder, OriginalCall, RecordingLimit, RelayError};
use crate::server::forward_headers::Hop;
use crate::server::middleware::grpc_status::is_grpc;
use crate::server::middleware::metrics::ForwardOutcome;
use crate::server::refusal_log;

/// Time limit of an answer: a gateway that is lost or stopped must not hold up what the others have.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Limit of an answer, in bytes. A page of 500 sessions has less than 2 MiB.
const MAX_ANSWER: usize = 8 << 20;

/// The body is not read here.
const NOTHING: RecordingLimit = RecordingLimit { frames: 0, bytes: 0 };

/// Why a gateway has no part in an answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error("there was no answer within {} s", ANSWER_TIME.as_secs())]
    Late,
    #[error("the answer breaks off or is too long: {0}")]
    Broken(axum::BoxError),
    #[error("the other gateway refuses the call: {0}")]
    Refused(String),
}

impl Forwarder {
    /// The answers of these gateways to a call of a client: bodies of plain HTTP, messages of gRPC. Gateways that do not answer
    /// are left out and logged. A call that another gateway makes is answered without others.
    pub(in crate::server) async fn ask(
        &self,
        gateways: &[String],
        request: &Request<Bytes>,
    ) -> Vec<Bytes> {
        if request.extensions().get::<Hop>().is_some() {
            return Vec::new();
        }
        let asked = gateways.iter().map(async |gateway| {
            let (call, _) = OriginalCall::record(request.clone().map(Body::from), NOTHING);
            let label = call.label();
            let is_grpc = is_grpc(request.headers());
            let answered =
                timeout(ANSWER_TIME, Box::pin(self.answer_of(gateway, call, is_grpc))).await;
            let answered = answered.unwrap_or(Err(AskError::Late));
            let outcome =
                answered.as_ref().map_or_else(AskError::outcome, |_| ForwardOutcome::Answered);
            self.metrics.count(&label, outcome);
            answered.inspect_err(|error| refusal_log::note_not_forwarded(gateway, error)).ok()
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn answer_of(
        &self,
        gateway: &str,
        call: OriginalCall,
        is_grpc: bool,
    ) -> Result<Bytes, AskError> {
        let memory = self.memory.take_in_time(super::ANSWER_WINDOW as usize).await;
        let _memory = memory.ok_or(RelayError::Busy)?;
        let trace = call.trace.clone();
        let (response, _held) = self.send(call, &trace, gateway, |body| body).await?;
        let (head, body) = response.into_parts();
        let broken = |error: axum::BoxError| AskError::Broken(error);
        let collected = Limited::new(body, MAX_ANSWER).collect().await.map_err(broken)?;
        if !is_grpc {
            let refused = || AskError::Refused(head.status.to_string());
            return (head.status == StatusCode::OK)
                .then(|| collected.to_bytes())
                .ok_or_else(refused);
        }
        let status = collected.trailers().and_then(Status::from_header_map);
        let status = status.or_else(|| Status::from_header_map(&head.headers));
        match status {
            Some(status) if status.code() == Code::Ok => {}
            other => {
                let code = other.map_or(Code::Unknown, |status| status.code());
                return Err(AskError::Refused(format!("{code:?}")));
            }
        }
        message(&collected.to_bytes()).ok_or_else(|| AskError::Broken("no message".into()))
    }
}

impl AskError {
    fn outcome(&self) -> ForwardOutcome {
        match self {
            AskError::Relay(error) => error.outcome(),
            AskError::Late => ForwardOutcome::Unreachable,
            AskError::Broken(_) => ForwardOutcome::Broken,
            AskError::Refused(_) => ForwardOutcome::Refused,
        }
    }
}

/// The only message of a body of gRPC, which is not compressed.
fn message(body: &Bytes) -> Option<Bytes> {
    let (head, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    (head[0] == 0 && message.len() == length as usize).then(|| body.slice(5..))
}
