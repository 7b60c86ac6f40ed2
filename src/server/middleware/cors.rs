//! CORS: allowed web origins may call the server.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::server::ServerConfig;

/// How long a browser may cache the answer to a preflight request.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Request headers of grpc-web and of partial downloads.
const SENT: [&str; 10] = [
    "authorization",
    "content-type",
    "grpc-timeout",
    "x-grpc-web",
    "x-user-agent",
    "connect-protocol-version",
    "if-none-match",
    "if-range",
    "range",
    "x-request-id",
];

/// Response headers of errors and downloads that pages may read.
const READ: [&str; 10] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "accept-ranges",
    "content-disposition",
    "content-range",
    "etag",
    "location",
    "retry-after",
    "x-request-id",
];

/// CORS for the configured origins. Without any, no CORS header is sent, and browsers block calls of other
/// origins.
pub(crate) fn layer(config: &ServerConfig) -> CorsLayer {
    let origins = config.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::list(SENT.map(HeaderName::from_static)))
        .expose_headers(ExposeHeaders::list(READ.map(HeaderName::from_static)))
        .max_age(REMEMBERED)
}
