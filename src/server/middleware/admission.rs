//! Refuses requests on connections beyond the limits.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::grpc_status::is_grpc;
use crate::server::connections::Connection;
use crate::server::status::{ApiError, respond, to_status};

/// Refuses a request if its connection is beyond the limits, which then ends.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Arc<Connection>>();
    let Some(connection) = connection.filter(|connection| connection.is_refused()) else {
        return next.run(request).await;
    };
    connection.finish();
    let error = ApiError::TooManyConnections;
    if is_grpc(request.headers()) {
        return to_status(error).into_http();
    }
    let mut response = respond(&error);
    if request.version() < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
