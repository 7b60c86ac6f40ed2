//! Counting calls: one layer for gRPC, one for plain HTTP.
//!
//! A call has ended when its body has, or when nobody takes the rest: so streams are counted with the
//! code and the time that their client saw.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request, Response};
use http_body::Frame;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::labels::{self, Methods};
use super::{GrpcLabels, GrpcMethod, HttpLabels, HttpRoute, Shared};
use crate::server::status::code_name;

/// Counts calls of gRPC. Below the layer that makes grpc-web of them, so that it sees their codes.
#[derive(Clone)]
pub(in crate::server) struct GrpcCalls(Shared, Arc<Methods>);

/// Counts everything else.
#[derive(Clone)]
pub(in crate::server) struct HttpCalls(Shared);

impl GrpcCalls {
    /// The layer that counts into these numbers.
    pub(in crate::server) fn new(metrics: Shared) -> GrpcCalls {
        GrpcCalls(metrics, Arc::new(Methods::new()))
    }
}

impl HttpCalls {
    /// The layer that counts into these numbers.
    pub(in crate::server) fn new(metrics: Shared) -> HttpCalls {
        HttpCalls(metrics)
    }
}

/// What begins to count a call.
pub(in crate::server) trait Count: Clone + Send + 'static {
    /// What ends it; `None` for a call that is not counted here.
    fn begin<B>(&self, request: &Request<B>) -> Option<Call>;
}

impl Count for GrpcCalls {
    fn begin<B>(&self, request: &Request<B>) -> Option<Call> {
        let what = What::Grpc(self.1.of(request.uri().path()), None);
        Some(Call { metrics: Arc::clone(&self.0), begun: Instant::now(), what })
    }
}

impl Count for HttpCalls {
    fn begin<B>(&self, request: &Request<B>) -> Option<Call> {
        let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            return None;
        }
        let method = labels::method(request.method());
        let route = labels::route(request.uri().path());
        let what = What::Http(HttpRoute { method, route }, 0);
        Some(Call { metrics: Arc::clone(&self.0), begun: Instant::now(), what })
    }
}

/// A call that is under way; counted when it is dropped.
pub(in crate::server) struct Call {
    metrics: Shared,
    begun: Instant,
    what: What,
}

enum What {
    /// The method, and the code once it is known.
    Grpc(String, Option<Code>),
    /// The route, and the status; 0 where nobody waited for one.
    Http(HttpRoute, u16),
}

impl Call {
    fn see_head<B>(&mut self, response: &Response<B>) {
        match &mut self.what {
            What::Grpc(..) => self.see_trailers(response.headers()),
            What::Http(_, status) => *status = response.status().as_u16(),
        }
    }

    fn see_trailers(&mut self, headers: &HeaderMap) {
        if let What::Grpc(_, code) = &mut self.what
            && let Some(status) = Status::from_header_map(headers)
        {
            *code = Some(status.code());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        match &self.what {
            What::Grpc(method, code) => {
                // Whoever leaves before the end has cancelled the call.
                let code = code_name(code.unwrap_or(Code::Cancelled));
                let labels = GrpcLabels { method: method.clone(), code };
                self.metrics.grpc.get_or_create(&labels).inc();
                let method = GrpcMethod { method: method.clone() };
                self.metrics.grpc_seconds.get_or_create(&method).observe(seconds);
            }
            What::Http(route, status) => {
                let HttpRoute { method, route: path } = *route;
                let labels = HttpLabels { method, route: path, status: *status };
                self.metrics.http.get_or_create(&labels).inc();
                self.metrics.http_seconds.get_or_create(route).observe(seconds);
            }
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(in crate::server) struct Counted<S, C> {
    inner: S,
    count: C,
}

impl<S> Layer<S> for GrpcCalls {
    type Service = Counted<S, GrpcCalls>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted { inner, count: self.clone() }
    }
}

impl<S> Layer<S> for HttpCalls {
    type Service = Counted<S, HttpCalls>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted { inner, count: self.clone() }
    }
}

impl<S, C, B, R> Service<Request<B>> for Counted<S, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    C: Count,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send + 'static>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = self.count.begin(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let Some(mut call) = call else { return Ok(response.map(Body::new)) };
            call.see_head(&response);
            Ok(response
                .map(|body| Body::new(CountedBody { inner: Body::new(body), call: Some(call) })))
        })
    }
}

/// A body with which its call ends.
struct CountedBody {
    inner: Body,
    call: Option<Call>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(call), Some(trailers)) = (&mut self.call, frame.trailers_ref()) {
                    call.see_trailers(trailers);
                }
            }
            Some(Err(_)) => {}
            None => drop(self.call.take()),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}
