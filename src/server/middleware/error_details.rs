//! Gives errors of gRPC what they lack: the request's id to all, and an `ErrorInfo` to those that come from the
//! transport and not from a call's own code.
//!
//! This layer is needed on both sides of the one that makes grpc-web, as [`trailers`] tells. What it has given it
//! gives once.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::caller::is_grpc;
use super::request_id::RequestId;
use super::trailers;
use crate::proto::reason::ErrorReason;
use crate::server::status::add_reason;

/// Adds them.
pub(crate) async fn add(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    if !is_grpc(response.headers()) {
        return response;
    }
    trailers::show(response, move |headers| complete(headers, id.as_ref()))
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
        add_reason(&mut details, reason);
    }
    if let Some(id) = id {
        details.set_request_info(id.to_string(), "");
    }
    let detailed = Status::with_error_details(status.code(), status.message(), details);
    // What cannot be headers leaves the answer as it was.
    let _ = detailed.add_header(headers);
}

/// What the transport means by a code.
fn reason(status: &Status) -> Option<ErrorReason> {
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
