//! Where gRPC says how a call has ended: in the head of its answer, or after its last message.
//!
//! Outside the layer that makes grpc-web of a call what comes after it is part of the body, and seen no more.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use http_body_util::BodyExt;

/// Shows `look` the head now, and the trailers once they come.
pub(crate) fn show(
    mut response: Response,
    mut look: impl FnMut(&mut HeaderMap) + Send + 'static,
) -> Response {
    look(response.headers_mut());
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            frame.trailers_mut().into_iter().for_each(&mut look);
            frame
        }))
    })
}
