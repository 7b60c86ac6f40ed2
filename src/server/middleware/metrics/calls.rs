//! Counts gRPC calls and HTTP requests.
//!
//! A call ends with the last frame of its response or when the client disconnects. So streams are counted with the
//! code and duration that the client sees, and a client that has seen a call end finds it counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tonic::Code;

use super::labels::{self, Methods};
use super::{GrpcLabels, GrpcMethod, HttpLabels, HttpRoute, Metrics};
use crate::server::deadline;
use crate::server::middleware::grpc_status::{CallCode, is_grpc};
use crate::server::middleware::trace::TracedCall;
use crate::server::status::code_name;

/// Counts a call. The outermost layer, so that refusals by other layers are counted; refusals by the transport
/// itself are not.
pub(crate) async fn count(
    State(counter): State<CallCounter>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut call = counter.start(&mut request);
    let response = next.run(request).await;
    call.status = Some(response.status());
    response.map(|body| {
        // The body owns the call and drops it at its end, which counts it.
        let mut call = Some(call).filter(|_| !body.is_end_stream());
        Body::new(body.map_frame(move |frame| {
            // Count before the client can receive the trailers.
            if frame.is_trailers() {
                drop(call.take());
            }
            frame
        }))
    })
}

/// Records calls in the metrics.
#[derive(Clone)]
pub(crate) struct CallCounter {
    metrics: Arc<Metrics>,
    methods: Arc<Methods>,
}

impl CallCounter {
    /// A counter that records in `metrics`.
    pub(crate) fn new(metrics: Arc<Metrics>) -> CallCounter {
        CallCounter { metrics, methods: Arc::new(Methods::new()) }
    }

    fn start(&self, request: &mut Request) -> Call {
        let route = labels::route(request);
        let (kind, traced) = if is_grpc(request.headers()) && route == labels::OTHER {
            let code = CallCode::default();
            let method = self.methods.label(request.uri().path());
            let timeout = deadline::timeout(request.headers());
            request.extensions_mut().insert(code.clone());
            let traced = TracedCall::grpc(&method);
            (CallKind::Grpc { method, code, timeout }, traced)
        } else {
            let method = labels::method(request.method());
            let traced = TracedCall::http(method, &route);
            (CallKind::Http(HttpRoute { method, route }), traced)
        };
        if let Some(traced) = &traced {
            request.extensions_mut().insert(Arc::clone(traced));
        }
        let metrics = Arc::clone(&self.metrics);
        Call { metrics, started: Instant::now(), kind, status: None, traced }
    }
}

/// A call in progress; counted when it is dropped.
struct Call {
    metrics: Arc<Metrics>,
    started: Instant,
    kind: CallKind,
    /// The HTTP status; `None` if the client disconnected before the response.
    status: Option<StatusCode>,
    /// `None` without traces.
    traced: Option<Arc<TracedCall>>,
}

enum CallKind {
    Grpc { method: String, code: CallCode, timeout: Option<Duration> },
    Http(HttpRoute),
}

impl Drop for Call {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        match &self.kind {
            CallKind::Grpc { method, code, timeout } => {
                let timed_out = timeout.is_some_and(|timeout| took >= timeout);
                let code = code.get().unwrap_or_else(|| implied_code(self.status, timed_out));
                self.traced.iter().for_each(|traced| traced.end(code));
                let labels = GrpcLabels { method: method.clone(), code: code_name(code) };
                self.metrics.grpc.get_or_create(&labels).inc();
                let method = GrpcMethod { method: method.clone() };
                self.metrics.grpc_seconds.get_or_create(&method).observe(took.as_secs_f64());
            }
            CallKind::Http(route) => {
                self.traced.iter().for_each(|traced| traced.end_http(self.status));
                let status = self.status.map_or(0, |status| status.as_u16());
                let HttpRoute { method, route: pattern } = route.clone();
                let labels = HttpLabels { method, route: pattern, status };
                self.metrics.http.get_or_create(&labels).inc();
                self.metrics.http_seconds.get_or_create(route).observe(took.as_secs_f64());
            }
        }
    }
}

/// The code of a call that ended without one: that of the HTTP status, as clients derive it (gRPC,
/// http-grpc-status-mapping.md), DEADLINE_EXCEEDED, or CANCELLED if the client disconnected.
fn implied_code(status: Option<StatusCode>, timed_out: bool) -> Code {
    match status {
        None | Some(StatusCode::OK) if timed_out => Code::DeadlineExceeded,
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
    use crate::server::middleware::grpc_status;
    use crate::server::middleware::metrics::Metrics;

    #[tokio::test]
    async fn a_call_is_counted_with_its_trailers() {
        let metrics = Arc::new(Metrics::new());
        let answer = || async {
            let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
            let trailers = HeaderMap::from_iter([status]);
            let body = Full::new(Bytes::from("answer")).with_trailers(async { Some(Ok(trailers)) });
            ([(CONTENT_TYPE, "application/grpc")], Body::new(body))
        };
        let counter = CallCounter::new(Arc::clone(&metrics));
        let mut routes = Router::new()
            .fallback(answer)
            .layer(from_fn(grpc_status::complete))
            .layer(from_fn_with_state(counter, count));
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
    fn a_call_without_a_code_has_that_of_its_status() {
        let check = |status: Option<u16>, timed_out, expected| {
            let status = status.map(|status| StatusCode::from_u16(status).unwrap());
            assert_eq!(implied_code(status, timed_out), expected, "{status:?}");
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
