//! Gives an `ErrorInfo` to errors that come from the transport and not from a call's own code.

use std::collections::HashMap;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, Response};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service};

use super::status::DOMAIN;

/// Adds what is missing to errors that are answered without a message.
#[derive(Debug, Clone)]
pub(super) struct Details<S> {
    inner: S,
}

/// Makes [`Details`].
#[derive(Debug, Clone)]
pub(super) struct DetailsLayer;

/// The layer that adds it.
pub(super) fn layer() -> DetailsLayer {
    DetailsLayer
}

impl<S> Layer<S> for DetailsLayer {
    type Service = Details<S>;

    fn layer(&self, inner: S) -> Details<S> {
        Details { inner }
    }
}

impl<S, Q, R> Service<Q> for Details<S>
where
    S: Service<Q, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send + 'static>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            complete(response.headers_mut());
            Ok(response)
        })
    }
}

fn complete(headers: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(headers) else { return };
    let Some(reason) = reason(&status).filter(|_| status.details().is_empty()) else { return };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    let message = status.message().to_owned();
    let detailed = Status::with_error_details(status.code(), message, details);
    // A reason and a message that cannot be headers leave the answer as it was.
    let _ = detailed.add_header(headers);
}

/// What the transport means by a code.
fn reason(status: &Status) -> Option<&'static str> {
    match status.code() {
        Code::Unimplemented => Some("METHOD_UNKNOWN"),
        Code::OutOfRange => Some("MESSAGE_TOO_LARGE"),
        Code::Internal | Code::InvalidArgument => Some("MESSAGE_MALFORMED"),
        Code::DeadlineExceeded | Code::Cancelled => Some("DEADLINE_EXCEEDED"),
        _ => None,
    }
}
