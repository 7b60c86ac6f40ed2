//! CORS: pages of allowed origins may call the server.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::server::ServerConfig;

/// How long a browser may remember the permission.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Headers that grpc-web and downloads in parts send beside the plain ones.
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

/// Headers in which errors come, and what a download is.
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

/// Permission for the origins of the configuration, and for no other; without any, nothing is said and
/// browsers let no page of another origin call.
pub(crate) fn layer(config: &ServerConfig) -> CorsLayer {
    let origins = config.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::list(SENT.map(HeaderName::from_static)))
        .expose_headers(ExposeHeaders::list(READ.map(HeaderName::from_static)))
        .max_age(REMEMBERED)
}
