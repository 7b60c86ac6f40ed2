//! Records the status of gRPC responses for the metrics, and adds the error details that transport errors lack.
//!
//! A status is in the headers of a response or in its trailers. Outside the grpc-web layer the trailers are part
//! of the body, so this layer is applied on both sides of it. Details are added only once.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::proto::reason::ErrorReason;
use crate::server::refusal_log;
use crate::server::request_id::RequestId;
use crate::server::status::{add_reason, code_name};

/// Whether a request or response is gRPC or grpc-web.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The code of a call; an extension of its request.
#[derive(Clone, Default)]
pub(crate) struct CallCode(Arc<OnceLock<Code>>);

impl CallCode {
    /// The code, once it is known.
    pub(crate) fn get(&self) -> Option<Code> {
        self.0.get().copied()
    }
}

/// Completes the status of a gRPC response and records its code in the request's [`CallCode`].
pub(crate) async fn complete(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let code = request.extensions().get::<CallCode>().cloned().unwrap_or_default();
    // Trailers are sent outside of it.
    let span = tracing::Span::current();
    let mut response = next.run(request).await;
    if !is_grpc(response.headers()) {
        return response;
    }
    let look = move |headers: &mut HeaderMap| {
        if let Some(status) = Status::from_header_map(headers) {
            add_details(headers, &status, id.as_ref());
            // The second layer sees the same code again.
            let is_first = code.0.set(status.code()).is_ok();
            if is_first && status.code() != Code::Ok {
                span.in_scope(|| refusal_log::note(&reason_of(headers)));
            }
        }
    };
    look(response.headers_mut());
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            frame.trailers_mut().into_iter().for_each(&look);
            frame
        }))
    })
}

/// The reason of a failed call; the name of its code if it has none.
fn reason_of(headers: &HeaderMap) -> String {
    let status = Status::from_header_map(headers).unwrap_or_else(|| Status::unknown(""));
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    reason.unwrap_or_else(|| code_name(status.code()).to_owned())
}

/// Adds the request id to every error, and an `ErrorInfo` to transport errors.
fn add_details(headers: &mut HeaderMap, status: &Status, id: Option<&RequestId>) {
    if status.code() == Code::Ok {
        return;
    }
    let mut details = status.get_error_details();
    let reason = transport_reason(status).filter(|_| status.details().is_empty());
    let id = id.filter(|_| details.request_info().is_none());
    if reason.is_none() && id.is_none() {
        return;
    }
    if let Some(reason) = reason {
        add_reason(&mut details, reason);
    }
    if let Some(id) = id {
        details.set_request_info(id.to_string(), "");
    }
    let detailed = Status::with_error_details(status.code(), status.message(), details);
    // The response stays as it was if the details cannot be encoded as headers.
    let _ = detailed.add_header(headers);
}

/// The error reason of a transport error, by its code.
fn transport_reason(status: &Status) -> Option<ErrorReason> {
    match status.code() {
        Code::Unimplemented => Some(ErrorReason::MethodUnknown),
        Code::OutOfRange => Some(ErrorReason::MessageTooLarge),
        Code::Internal | Code::InvalidArgument => Some(ErrorReason::MessageMalformed),
        Code::DeadlineExceeded | Code::Cancelled => Some(ErrorReason::DeadlineExceeded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_added_once() {
        let mut headers = HeaderMap::new();
        Status::unimplemented("no").add_header(&mut headers).unwrap();
        for _ in 0..2 {
            let status = Status::from_header_map(&headers).unwrap();
            add_details(&mut headers, &status, Some(&RequestId::fresh()));
        }
        let details = Status::from_header_map(&headers).unwrap().get_error_details_vec();
        assert_eq!(details.len(), 2, "{details:?}");
    }
}
