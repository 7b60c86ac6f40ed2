//! The layer that forwards requests of plain HTTP whose session is another gateway's.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::Next;
use tokio_stream::StreamExt;

use super::Rest;
use super::metered_body::BodyError;
use crate::server::forward::{Forwarder, OriginalCall, RecordingLimit, RelayError};
use crate::server::middleware::auth;
use crate::server::status::{ApiError, respond};

/// The path names the session, so that nothing has been read of the body when it is found.
const NOTHING: RecordingLimit = RecordingLimit { frames: 0, bytes: 0 };

/// The layer's state.
#[derive(Clone)]
pub(super) struct Forwarding {
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) rest: Rest,
}

/// Forwards a request if its session is another gateway's.
pub(super) async fn forward(
    State(Forwarding { forwarder, rest }): State<Forwarding>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if auth::is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let (call, request) = OriginalCall::record(request, NOTHING);
    let mut refused = next.run(request).await;
    let Some(owner) = forwarder.owner(&call, refused.headers_mut()) else { return refused };
    let limited = |body| {
        let (body, meter) = rest.metered(body);
        // Each chunk was sent when the next one is read.
        Body::from_stream(body.map(move |chunk| {
            meter.reset();
            chunk
        }))
    };
    // On the heap, it does not enlarge the futures around it.
    match Box::pin(forwarder.relay(call, &owner, limited, None)).await {
        Ok(response) => response.map(Body::new),
        Err(RelayError::Busy) => respond(&ApiError::ServerBusy),
        Err(RelayError::Upload(fault)) => {
            let fault = fault.into_inner();
            let error = fault.downcast_ref().and_then(BodyError::of_read);
            error.and_then(BodyError::refusal).map_or(refused, |error| respond(&error))
        }
        Err(RelayError::Unrecorded | RelayError::Gateway(_) | RelayError::WrongSecret) => refused,
    }
}
