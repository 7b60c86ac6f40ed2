//! Counting calls: every request that comes in, as a call of gRPC or as one of plain HTTP, whoever answers it.
//!
//! A call has ended when its body has, or when nobody takes the rest: so streams are counted with the
//! code and the time that their client saw, and whoever has seen a call end finds it counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tonic::Code;

use super::codes::Ending;
use super::labels::{self, Methods};
use super::{GrpcLabels, GrpcMethod, HttpLabels, HttpRoute, Shared};
use crate::server::grpc::deadline;
use crate::server::middleware::caller::is_grpc;
use crate::server::status::code_name;

/// Counts everything. Outermost, so that no layer refuses anything that is not counted; what the transport
/// itself takes for no request at all is seen by no layer.
pub(crate) async fn count(
    State(calls): State<Calls>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut call = calls.begin(&mut request);
    let response = next.run(request).await;
    call.see_head(&response);
    response.map(|body| {
        // Who holds the body holds the call.
        let mut held = Some(call).filter(|_| !body.is_end_stream());
        Body::new(body.map_frame(move |frame| {
            // With its last words, before its caller can have heard them.
            if frame.is_trailers() {
                drop(held.take());
            }
            frame
        }))
    })
}

/// Where calls are counted.
#[derive(Clone)]
pub(crate) struct Calls {
    metrics: Shared,
    methods: Arc<Methods>,
}

impl Calls {
    /// In these numbers.
    pub(crate) fn new(metrics: Shared) -> Calls {
        Calls { metrics, methods: Arc::new(Methods::new()) }
    }

    /// Begins to count a call.
    fn begin(&self, request: &mut Request) -> Call {
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
    fn see_head(&mut self, response: &Response) {
        self.status = Some(response.status());
        if let What::Grpc { ending, .. } = &self.what {
            ending.see(response.headers());
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Bytes;
    use axum::http::header::CONTENT_TYPE;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use axum::middleware::{from_fn, from_fn_with_state};
    use http_body_util::Full;
    use tower::Service;

    use super::*;
    use crate::server::middleware::metrics::{Metrics, tell};

    #[tokio::test]
    async fn a_call_is_counted_with_its_last_words() {
        let metrics = Arc::new(Metrics::new());
        let answer = || async {
            let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
            let trailers = HeaderMap::from_iter([status]);
            Body::new(Full::new(Bytes::from("answer")).with_trailers(async { Some(Ok(trailers)) }))
        };
        let calls = Calls::new(Arc::clone(&metrics));
        let mut routes = Router::new()
            .fallback(answer)
            .layer(from_fn(tell))
            .layer(from_fn_with_state(calls, count));
        let request = Request::builder().uri("/a.B/C").header(CONTENT_TYPE, "application/grpc");
        let response = routes.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let counted = || {
            let labels = GrpcLabels { method: labels::OTHER.to_owned(), code: "OK" };
            metrics.grpc.get_or_create(&labels).get()
        };
        let mut body = response.into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert_eq!(counted(), 0);
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert_eq!(counted(), 1);
        drop(body);
        assert_eq!(counted(), 1);
    }

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
