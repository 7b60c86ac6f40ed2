//! Gives errors of gRPC what they lack: the request's id to all, and an `ErrorInfo` to those that come from the
//! transport and not from a call's own code.
//!
//! Errors stand in the head of an answer, or after its last message. What is after it is part of the body once
//! grpc-web is made of it, so this layer is needed on both sides of that one. What it has given it gives once.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use super::caller::is_grpc;
use super::request_id::RequestId;
use super::status::DOMAIN;

/// A service whose errors have all their details.
#[derive(Debug, Clone)]
pub(super) struct Details<S> {
    inner: S,
}

/// Makes [`Details`].
#[derive(Debug, Clone)]
pub(super) struct DetailsLayer;

/// The layer that adds them.
pub(super) fn layer() -> DetailsLayer {
    DetailsLayer
}

impl<S> Layer<S> for DetailsLayer {
    type Service = Details<S>;

    fn layer(&self, inner: S) -> Details<S> {
        Details { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Details<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send + 'static>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request.extensions().get::<RequestId>().cloned();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if !is_grpc(response.headers()) {
                return Ok(response.map(Body::new));
            }
            complete(response.headers_mut(), id.as_ref());
            let body = |body: R| {
                body.map_frame(move |mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        complete(trailers, id.as_ref());
                    }
                    frame
                })
            };
            Ok(response.map(|inner| Body::new(body(inner))))
        })
    }
}

fn complete(headers: &mut HeaderMap, id: Option<&RequestId>) {
    let Some(status) = Status::from_header_map(headers).filter(|s| s.code() != Code::Ok) else {
        return;
    };
    let mut details = status.get_error_details();
    let reason = reason(&status).filter(|_| status.details().is_empty());
    let id = id.filter(|_| details.request_info().is_none());
    if reason.is_none() && id.is_none() {
        return;
    }
    if let Some(reason) = reason {
        details.set_error_info(reason, DOMAIN, HashMap::new());
    }
    if let Some(id) = id {
        details.set_request_info(id.to_string(), "");
    }
    let detailed = Status::with_error_details(status.code(), status.message(), details);
    // What cannot be headers leaves the answer as it was.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_once_is_not_given_again() {
        let mut headers = HeaderMap::new();
        Status::unimplemented("no").add_header(&mut headers).unwrap();
        for _ in 0..2 {
            complete(&mut headers, Some(&RequestId::fresh()));
        }
        let details = Status::from_header_map(&headers).unwrap().get_error_details_vec();
        assert_eq!(details.len(), 2, "{details:?}");
    }
}
