//! CORS: allowed web origins may call the server.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::ACCESS_CONTROL_REQUEST_METHOD;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use crate::server::ServerConfig;

/// How long a browser may cache the answer to a preflight request.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Request headers of grpc-web, of partial downloads and of resumable uploads.
const SENT: [&str; 16] = [
    "authorization",
    "content-type",
    "grpc-timeout",
    "x-grpc-web",
    "x-user-agent",
    "connect-protocol-version",
    "if-none-match",
    "if-range",
    "range",
    "tus-resumable",
    "upload-defer-length",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-http-method-override",
    "x-request-id",
];

/// Response headers of errors, downloads and resumable uploads that pages may read.
const READ: [&str; 19] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "accept-ranges",
    "content-disposition",
    "content-range",
    "etag",
    "location",
    "retry-after",
    "tus-extension",
    "tus-max-size",
    "tus-resumable",
    "tus-version",
    "upload-defer-length",
    "upload-expires",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-request-id",
];

/// CORS for the configured origins. Without any, no CORS header is sent, and browsers block calls of other
/// origins.
#[derive(Clone)]
pub(crate) struct Cors {
    layer: CorsLayer,
    has_options: fn(&str) -> bool,
}

impl Cors {
    /// The rules of a configuration; `has_options` is true for paths that have a method `OPTIONS` of their own.
    pub(crate) fn of(config: &ServerConfig, has_options: fn(&str) -> bool) -> Cors {
        let origins = config.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        let methods = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE];
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods(methods)
            .allow_headers(AllowHeaders::list(SENT.map(HeaderName::from_static)))
            .expose_headers(ExposeHeaders::list(READ.map(HeaderName::from_static)))
            .max_age(REMEMBERED);
        Cors { layer, has_options }
    }
}

/// Answers preflight requests, and adds the headers of CORS to other responses.
pub(crate) async fn answer(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let is_options = request.method() == Method::OPTIONS;
    // The layer takes every such request for a preflight.
    if is_options && !is_preflight && (cors.has_options)(request.uri().path()) {
        return next.run(request).await;
    }
    match cors.layer.layer(next).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
