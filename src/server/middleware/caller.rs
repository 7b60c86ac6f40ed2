//! What a request tells of its caller.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// Whether it speaks gRPC, or grpc-web.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
