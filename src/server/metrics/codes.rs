//! With which code a call of gRPC ends: in the head of its answer, or after its last message.
//!
//! Outside the layer that makes grpc-web of a call its code is part of the body. So it is looked for
//! inside, and told to the one who counts outside.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// A call's code, once it is known; goes with the request.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<OnceLock<Code>>);

impl Ending {
    /// Tells the code; only the first counts.
    pub(super) fn tell(&self, code: Code) {
        // A second one would be the same, seen further outside.
        let _ = self.0.set(code);
    }

    /// The code, if it was told.
    pub(super) fn told(&self) -> Option<Code> {
        self.0.get().copied()
    }

    fn see(&self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.tell(status.code());
        }
    }
}

/// Tells the codes of calls. Below the layer that makes grpc-web of them.
#[derive(Clone)]
pub(in crate::server) struct Codes;

/// A service whose codes are told.
#[derive(Clone)]
pub(in crate::server) struct Told<S>(S);

impl<S> Layer<S> for Codes {
    type Service = Told<S>;

    fn layer(&self, inner: S) -> Told<S> {
        Told(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Told<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send + 'static>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ending = request.extensions().get::<Ending>().cloned();
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let Some(ending) = ending else { return Ok(response.map(Body::new)) };
            ending.see(response.headers());
            let told = |body: R| {
                body.map_frame(move |frame| {
                    frame.trailers_ref().into_iter().for_each(|trailers| ending.see(trailers));
                    frame
                })
            };
            Ok(response.map(|body| Body::new(told(body))))
        })
    }
}
