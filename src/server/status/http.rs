//! Errors of plain HTTP: a status and a JSON body.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use tonic::Code;
use utoipa::ToSchema;

use super::ApiError;
use super::fields::{ErrorFields, fields_of};
use crate::server::forward_headers::OWNER;
use crate::server::refusal_log;
use crate::server::request_id::RequestId;
use crate::session::Failure;

/// Error of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::server) struct Problem {
    /// The gRPC code.
    #[schema(example = "NOT_FOUND")]
    pub(in crate::server) code: &'static str,
    /// The reason, one of `ErrorReason` in the proto; stable across versions.
    #[schema(example = "SESSION_NOT_FOUND")]
    pub(in crate::server) reason: &'static str,
    /// The cause.
    pub(in crate::server) message: String,
    /// The remedy: an imperative sentence.
    pub(in crate::server) remedy: String,
    /// Numbers and names behind the message, such as `committed_bytes` or `session_id`.
    pub(in crate::server) metadata: BTreeMap<String, String>,
    /// The id of the request, as in the header `x-request-id`; absent in the error of a failed session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::server) request_id: Option<String>,
}

impl Problem {
    /// The error of a failed session.
    pub(in crate::server) fn of_failure(failure: &Failure) -> Problem {
        Problem::new(super::fields::failed(failure), failure.message.clone())
    }

    fn new(fields: ErrorFields, message: String) -> Problem {
        Problem {
            code: name(fields.code),
            reason: fields.reason.as_str(),
            message,
            remedy: fields.remedy,
            metadata: fields.metadata,
            request_id: None,
        }
    }
}

/// The response to a refused request.
pub(in crate::server) fn respond(error: &ApiError) -> Response<Body> {
    respond_of(error, BTreeMap::new())
}

/// The response to a refused request, with additional metadata.
pub(in crate::server) fn respond_of(
    error: &ApiError,
    more: BTreeMap<String, String>,
) -> Response<Body> {
    let fields = fields_of(error);
    refusal_log::note(fields.reason.as_str());
    let (status, retry) = (fields.http_status, fields.retry);
    let mut problem = Problem::new(fields, error.to_string());
    problem.metadata.extend(more);
    problem.request_id = RequestId::current().map(|id| id.to_string());
    // Texts and numbers always serialize.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(retry) = retry {
        headers.insert(RETRY_AFTER, HeaderValue::from(retry.as_secs()));
    }
    if let Some(owner) = super::owner(error) {
        headers.insert(OWNER, owner);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The gRPC name of a code.
pub(in crate::server) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionError;

    #[test]
    fn some_reasons_have_a_status_of_their_own() {
        let check = |error: ApiError, expected: u16| {
            let response = respond(&error);
            assert_eq!(response.status(), expected, "{error:?}");
        };
        check(SessionError::UploadTooLarge { limit: 1 }.into(), 413);
        check(ApiError::Unauthenticated, 401);
        check(ApiError::RangeUnsatisfiable { size: 9 }, 416);
        check(ApiError::RouteUnknown { path: "/x".into() }, 404);
        check(ApiError::MultipartMissing, 415);
        check(ApiError::SessionCancelled, 409);
    }
}
