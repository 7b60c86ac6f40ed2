//! Refuses requests beyond the limits of connections and calls.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::grpc_status::is_grpc;
use crate::server::connections::{Connection, Overload};
use crate::server::status::{ApiError, respond, to_status};

/// Refuses a request if its connection or its call is one too many. In the first case the connection ends.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    let Some(&excess) = request.extensions().get::<Overload>() else {
        return next.run(request).await;
    };
    let connection = request.extensions().get::<Arc<Connection>>();
    let error = match excess {
        Overload::Connections => {
            connection.into_iter().for_each(|connection| connection.finish());
            ApiError::TooManyConnections
        }
        Overload::Calls => ApiError::ServerBusy,
    };
    if is_grpc(request.headers()) {
        return to_status(error).into_http();
    }
    let mut response = respond(&error);
    if excess == Overload::Connections && request.version() < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
