//! Spans of [traces](crate::trace) for calls, by the conventions of OpenTelemetry for RPC and HTTP.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tonic::Code;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::server::status::code_name;
use crate::trace::{self, TraceContext};

/// What the names of the methods begin with of which there are spans.
const SERVICE: &str = "stemwire.";

/// Makes the span of a call, within that of the log, so that lines of the log keep their context.
pub(crate) async fn follow(request: Request, next: Next) -> Response {
    let Some(call) = request.extensions().get::<Arc<TracedCall>>() else {
        return next.run(request).await;
    };
    let span = call.kind.span(&request);
    TraceContext::received(|name| request.headers().get(name)?.to_str().ok()).adopt(&span);
    // There is one layer of these.
    let _ = call.span.set(span.clone());
    next.run(request).instrument(span).await
}

/// A call of which there is to be a span; an extension of its request.
#[derive(Debug)]
pub(crate) struct TracedCall {
    kind: TracedKind,
    span: OnceLock<Span>,
}

#[derive(Debug)]
enum TracedKind {
    /// The method, as `package.Service/Method`.
    Grpc(String),
    /// The method and the route.
    Http(&'static str, String),
}

impl TracedCall {
    /// A call of gRPC; `None` without traces, for checks of health and for calls between the parts of a cluster.
    pub(crate) fn grpc(method: &str) -> Option<Arc<TracedCall>> {
        let is_traced = trace::is_on() && method.starts_with(SERVICE);
        is_traced.then(|| TracedCall::new(TracedKind::Grpc(method.to_owned())))
    }

    /// A request; `None` without traces, and for checks of health, scrapes and files of the page.
    pub(crate) fn http(method: &'static str, route: &str) -> Option<Arc<TracedCall>> {
        let is_api = route.starts_with("/api/") || route.starts_with("/download/");
        let is_traced = trace::is_on() && is_api;
        is_traced.then(|| TracedCall::new(TracedKind::Http(method, route.to_owned())))
    }

    fn new(kind: TracedKind) -> Arc<TracedCall> {
        Arc::new(TracedCall { kind, span: OnceLock::new() })
    }

    /// The call has ended with a code.
    pub(crate) fn end(&self, code: Code) {
        let Some(span) = self.span.get() else { return };
        span.record("rpc.response.status_code", code_name(code));
        if is_server_error(code) {
            span.record("error.type", code_name(code));
            span.record("otel.status_code", "ERROR");
        }
    }

    /// The request has ended with a status; `None` if the client left.
    pub(crate) fn end_http(&self, status: Option<StatusCode>) {
        let (Some(span), Some(status)) = (self.span.get(), status) else { return };
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("error.type", status.as_str());
            span.record("otel.status_code", "ERROR");
        }
    }
}

impl TracedKind {
    fn span(&self, request: &Request) -> Span {
        match self {
            TracedKind::Grpc(method) => tracing::info_span!(
                target: trace::TARGET,
                "call",
                otel.name = method,
                otel.kind = "server",
                otel.status_code = Empty,
                rpc.system.name = "grpc",
                rpc.method = method,
                rpc.response.status_code = Empty,
                "error.type" = Empty,
            ),
            TracedKind::Http(method, route) => tracing::info_span!(
                target: trace::TARGET,
                "request",
                otel.name = format!("{method} {route}"),
                otel.kind = "server",
                otel.status_code = Empty,
                http.request.method = method,
                http.route = route,
                url.path = request.uri().path(),
                http.response.status_code = Empty,
                "error.type" = Empty,
            ),
        }
    }
}

/// Whether a code is an error of the server by the conventions for gRPC, and not one of the client alone.
fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
