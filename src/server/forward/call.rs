//! A call as it arrived, so that it can be made again.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, ORIGIN, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::time::Instant;

use super::recording::{RecordedBody, Recording, RecordingLimit, record};
use crate::server::connections::client_of;
use crate::server::forward_headers::Hop;
use crate::server::middleware::grpc_status::is_grpc;
use crate::server::request_id::{self, RequestId};
use crate::server::{deadline, path_prefix};
use crate::trace::{self, TraceContext};

/// Headers that concern a connection (RFC 9110, section 7.6.1), or what this gateway has done: `Host` and `Origin` are
/// checked, and the client of `Expect` waits for this gateway.
const LEFT_OUT: [HeaderName; 9] = [
    CONNECTION,
    EXPECT,
    HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    ORIGIN,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
];

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Limit of the digits of a `grpc-timeout`.
const MAX_TIMEOUT: u64 = 99_999_999;

/// A call as it arrived.
pub(in crate::server) struct OriginalCall {
    pub(super) method: Method,
    pub(super) target: Uri,
    headers: HeaderMap,
    pub(super) client: Option<IpAddr>,
    id: Option<RequestId>,
    route: Option<MatchedPath>,
    pub(super) prefix: String,
    pub(super) deadline: Option<Instant>,
    /// Where it is in its trace.
    pub(super) trace: TraceContext,
    /// Whether another gateway has forwarded it.
    pub(super) is_forwarded: bool,
    pub(super) recording: Recording,
}

impl OriginalCall {
    /// Records a call. Returns it and the request for the handler.
    pub(in crate::server) fn record(
        request: Request,
        limit: RecordingLimit,
    ) -> (OriginalCall, Request) {
        let extensions = request.extensions();
        let (client, id) = (client_of(extensions), extensions.get::<RequestId>().cloned());
        let route = extensions.get::<MatchedPath>().cloned();
        let is_forwarded = extensions.get::<Hop>().is_some();
        let (head, body) = request.into_parts();
        let timeout = deadline::timeout(&head.headers).filter(|_| is_grpc(&head.headers));
        let (recorded, recording): (RecordedBody, _) = record(body, limit);
        let call = OriginalCall {
            method: head.method.clone(),
            target: head.uri.clone(),
            headers: head.headers.clone(),
            client,
            id,
            route,
            prefix: path_prefix::prefixed(""),
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            trace: TraceContext::current(),
            is_forwarded,
            recording,
        };
        (call, Request::from_parts(head, Body::new(recorded)))
    }

    /// The label of its metrics. Only calls that this server has are refused with an owner, so there are few.
    pub(super) fn label(&self) -> String {
        match &self.route {
            Some(route) if !is_grpc(&self.headers) => format!("{} {}", self.method, route.as_str()),
            _ => self.target.path().trim_start_matches('/').to_owned(),
        }
    }

    /// The headers for the other gateway, without those of the hop.
    pub(super) fn headers(&self, trace: &TraceContext) -> HeaderMap {
        let mut headers = self.headers.clone();
        LEFT_OUT.iter().for_each(|name| {
            headers.remove(name);
        });
        if is_grpc(&headers) {
            // The body of a browser's call has changed on its way to here.
            headers.remove(CONTENT_LENGTH);
            headers.insert("te", HeaderValue::from_static("trailers"));
        } else {
            headers.remove("te");
        }
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            headers.insert(GRPC_TIMEOUT, timeout_text(left));
        }
        let trace = trace.headers();
        if !trace.is_empty() {
            // Of the span of this gateway, in place of the client's.
            trace::HEADERS.iter().for_each(|name| drop(headers.remove(*name)));
        }
        for (name, value) in trace {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        if let Some(id) = self.id.as_ref().and_then(|id| HeaderValue::try_from(id.to_string()).ok())
        {
            headers.insert(request_id::HEADER, id);
        }
        headers
    }
}

/// A time limit as the value of `grpc-timeout`.
fn timeout_text(left: Duration) -> HeaderValue {
    let (milliseconds, seconds) = (left.as_millis(), left.as_secs());
    let text = match u64::try_from(milliseconds) {
        Ok(milliseconds @ ..=MAX_TIMEOUT) => format!("{milliseconds}m"),
        _ if seconds <= MAX_TIMEOUT => format!("{seconds}S"),
        _ => format!("{}H", (seconds / 3600).min(MAX_TIMEOUT)),
    };
    // Digits and a letter.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let limit = RecordingLimit { frames: 1, bytes: 1 };
        OriginalCall::record(request, limit).0.headers(&TraceContext::default())
    }

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let kept = [("authorization", "Bearer x"), ("cookie", "a=b"), ("range", "bytes=1-")];
        let dropped = [("connection", "close"), ("host", "a"), ("origin", "http://a"), ("te", "x")];
        let headers = forwarded(&[&kept[..], &dropped[..]].concat());
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), kept.len(), "{names:?}");
        assert!(kept.iter().all(|(name, value)| headers[*name] == *value));
    }

    #[test]
    fn a_call_of_grpc_has_its_remaining_time() {
        let grpc = ("content-type", "application/grpc+proto");
        let headers = forwarded(&[grpc, ("content-length", "9"), ("grpc-timeout", "10S")]);
        assert_eq!(headers["te"], "trailers");
        assert!(!headers.contains_key(CONTENT_LENGTH));
        let left = deadline::timeout(&headers).unwrap();
        assert!(left <= Duration::from_secs(10) && !left.is_zero(), "{left:?}");
        assert!(!forwarded(&[grpc]).contains_key(GRPC_TIMEOUT));
    }

    #[test]
    fn time_limits_have_at_most_eight_digits() {
        let check = |seconds, expected: &str| {
            assert_eq!(timeout_text(Duration::from_secs(seconds)), expected);
        };
        check(0, "0m");
        check(99_999, "99999000m");
        check(100_000, "100000S");
        check(100_000_000, "27777H");
    }
}
