//! With which code a call of gRPC ends.
//!
//! Outside the layer that makes grpc-web of a call its code is part of the body. So it is looked for
//! inside, and told to the one who counts outside.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use tonic::{Code, Status};

use crate::server::middleware::trailers;

/// A call's code, once it is known; goes with the request.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<OnceLock<Code>>);

impl Ending {
    /// The code, if it was told.
    pub(crate) fn told(&self) -> Option<Code> {
        self.0.get().copied()
    }

    /// Takes the code from the head or the trailers of an answer, where they have it.
    pub(crate) fn see(&self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            // A second one would be the same, seen further outside.
            let _ = self.0.set(status.code());
        }
    }
}

/// Tells the codes of calls. Below the layer that makes grpc-web of them.
pub(crate) async fn tell(request: Request, next: Next) -> Response {
    let ending = request.extensions().get::<Ending>().cloned();
    let response = next.run(request).await;
    let Some(ending) = ending else { return response };
    trailers::show(response, move |headers| ending.see(headers))
}
