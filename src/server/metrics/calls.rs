//! Counting calls: every request that comes in, as a call of gRPC or as one of plain HTTP, whoever answers it.
//!
//! A call has ended when its body has, or when nobody takes the rest: so streams are counted with the
//! code and the time that their client saw.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::codes::Ending;
use super::labels::{self, Methods};
use super::{GrpcLabels, GrpcMethod, HttpLabels, HttpRoute, Shared};
use crate::server::caller::is_grpc;
use crate::server::deadline;
use crate::server::status::code_name;

/// Counts everything. Outermost, so that no layer refuses anything that is not counted; what the transport
/// itself takes for no request at all is seen by no layer.
#[derive(Clone)]
pub(in crate::server) struct Calls {
    metrics: Shared,
    methods: Arc<Methods>,
}

impl Calls {
    /// The layer that counts into these numbers.
    pub(in crate::server) fn new(metrics: Shared) -> Calls {
        Calls { metrics, methods: Arc::new(Methods::new()) }
    }

    /// Begins to count a call.
    fn begin<B>(&self, request: &mut Request<B>) -> Call {
        let path = request.uri().path();
        let route = labels::route(path);
        let what = if is_grpc(request.headers()) && route == labels::OTHER {
            let ending = Ending::default();
            let method = self.methods.of(path);
            let timeout = deadline::timeout(request.headers());
            request.extensions_mut().insert(ending.clone());
            What::Grpc { method, ending, timeout }
        } else {
            What::Http(HttpRoute { method: labels::method(request.method()), route })
        };
        Call { metrics: Arc::clone(&self.metrics), begun: Instant::now(), what, status: None }
    }
}

/// A call that is under way; counted when it is dropped.
struct Call {
    metrics: Shared,
    begun: Instant,
    what: What,
    /// HTTP's status; `None` where nobody waited for one.
    status: Option<StatusCode>,
}

enum What {
    Grpc { method: String, ending: Ending, timeout: Option<Duration> },
    Http(HttpRoute),
}

impl Call {
    fn see_head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        if let What::Grpc { ending, .. } = &self.what
            && let Some(status) = Status::from_header_map(headers)
        {
            ending.tell(status.code());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        match &self.what {
            What::Grpc { method, ending, timeout } => {
                let late = timeout.is_some_and(|timeout| took >= timeout);
                let code = ending.told().unwrap_or_else(|| unspoken(self.status, late));
                let labels = GrpcLabels { method: method.clone(), code: code_name(code) };
                self.metrics.grpc.get_or_create(&labels).inc();
                let method = GrpcMethod { method: method.clone() };
                self.metrics.grpc_seconds.get_or_create(&method).observe(took.as_secs_f64());
            }
            What::Http(route) => {
                let HttpRoute { method, route: path } = *route;
                let status = self.status.map_or(0, |status| status.as_u16());
                let labels = HttpLabels { method, route: path, status };
                self.metrics.http.get_or_create(&labels).inc();
                self.metrics.http_seconds.get_or_create(route).observe(took.as_secs_f64());
            }
        }
    }
}

/// The code of a call that has told none: what a client makes of a bare status of HTTP (gRPC,
/// http-grpc-status-mapping.md), or that it has left, or that its time was over.
fn unspoken(status: Option<StatusCode>, late: bool) -> Code {
    match status {
        None | Some(StatusCode::OK) if late => Code::DeadlineExceeded,
        None | Some(StatusCode::OK) => Code::Cancelled,
        Some(StatusCode::BAD_REQUEST) => Code::Internal,
        Some(StatusCode::UNAUTHORIZED) => Code::Unauthenticated,
        Some(StatusCode::FORBIDDEN) => Code::PermissionDenied,
        Some(StatusCode::NOT_FOUND) => Code::Unimplemented,
        Some(
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
        ) => Code::Unavailable,
        Some(_) => Code::Unknown,
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(in crate::server) struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Counted<S>
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
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut call = self.calls.begin(&mut request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            call.see_head(response.status(), response.headers());
            let counted = |body| CountedBody { inner: Body::new(body), call: Some(call) };
            Ok(response.map(|body| Body::new(counted(body))))
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
        if frame.is_none() {
            drop(self.call.take());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_told_no_code_has_that_of_its_status() {
        let check = |status: Option<u16>, late, expected| {
            let status = status.map(|status| StatusCode::from_u16(status).unwrap());
            assert_eq!(unspoken(status, late), expected, "{status:?}");
        };
        check(None, false, Code::Cancelled);
        check(None, true, Code::DeadlineExceeded);
        check(Some(200), false, Code::Cancelled);
        check(Some(400), true, Code::Internal);
        check(Some(403), false, Code::PermissionDenied);
        check(Some(404), false, Code::Unimplemented);
        check(Some(503), false, Code::Unavailable);
        check(Some(405), false, Code::Unknown);
    }
}
