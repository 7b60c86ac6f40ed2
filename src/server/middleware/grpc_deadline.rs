//! The deadline of gRPC calls, until their answer begins. Calls that stream enforce it from there on.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use super::grpc_status::is_grpc;
use crate::server::deadline::checked_timeout;
use crate::server::status::{ApiError, to_status};

/// Ends a call with `DEADLINE_EXCEEDED` when its `grpc-timeout` has passed.
pub(crate) async fn enforce(request: Request, next: Next) -> Response {
    if !is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let error = match checked_timeout(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(limit)) => match timeout(limit, next.run(request)).await {
            Ok(response) => return response,
            Err(_) => ApiError::DeadlineExceeded,
        },
        Err(given) => ApiError::DeadlineInvalid(given),
    };
    to_status(error).into_http()
}
