//! Spans of traces, which `--otlp` sends to a collector of OpenTelemetry. Without it they are disabled: none is made.
//!
//! They are spans of `tracing` whose target is [`TARGET`]: the log leaves them out, and they are in no line of it. Between
//! processes, the context of a span in its trace is that of W3C Trace Context: [`TraceContext`].

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Whether this process sends traces.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Whether this process sends traces.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// From now on this process sends traces.
pub(crate) fn turn_on() {
    IS_ON.store(true, Ordering::Relaxed);
}

/// The target of all spans of traces.
pub const TARGET: &str = "otlp";

/// Names of the headers of a context: its trace and span, and what systems of traces add.
pub const HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// A span's context in its trace; empty without traces.
#[derive(Debug, Clone, Default)]
pub struct TraceContext(Option<SpanContext>);

impl TraceContext {
    /// That of the span in which the caller works.
    pub fn current() -> TraceContext {
        TraceContext::of(&Span::current())
    }

    /// That of a span.
    pub fn of(span: &Span) -> TraceContext {
        if !is_on() {
            return TraceContext::default();
        }
        let context = span.context();
        let context = context.span().span_context().clone();
        TraceContext(Some(context).filter(SpanContext::is_valid))
    }

    /// The context that a caller names in its headers, of which `header` has the values.
    pub fn received<'a>(header: impl Fn(&str) -> Option<&'a str>) -> TraceContext {
        if is_on() { TraceContext::named(header) } else { TraceContext::default() }
    }

    fn named<'a>(header: impl Fn(&str) -> Option<&'a str>) -> TraceContext {
        let headers = ReceivedHeaders(HEADERS.map(header));
        let context = TraceContextPropagator::new().extract(&headers);
        TraceContext(Some(context.span().span_context().clone()).filter(SpanContext::is_valid))
    }

    /// The headers that name it; none if it is in no trace.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut sent = SentHeaders(Vec::new());
        if let Some(context) = &self.0 {
            let context = Context::new().with_remote_span_context(context.clone());
            TraceContextPropagator::new().inject_context(&context, &mut sent);
        }
        sent.0
    }

    /// Makes a span that has not been entered a child of the one with this context.
    pub fn adopt(&self, span: &Span) {
        if let Some(context) = &self.0 {
            // It fails for a span that is disabled.
            let _ = span.set_parent(Context::new().with_remote_span_context(context.clone()));
        }
    }
}

/// The values of [`HEADERS`] that were received.
struct ReceivedHeaders<'a>([Option<&'a str>; 2]);

impl Extractor for ReceivedHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let index = HEADERS.iter().position(|name| *name == key)?;
        self.0[index]
    }

    fn keys(&self) -> Vec<&str> {
        HEADERS.to_vec()
    }
}

/// Headers to send.
struct SentHeaders(Vec<(&'static str, String)>);

impl Injector for SentHeaders {
    fn set(&mut self, key: &str, value: String) {
        let name = HEADERS.into_iter().find(|name| *name == key);
        self.0.extend(name.filter(|_| !value.is_empty()).map(|name| (name, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_place_is_sent_as_it_was_received() {
        let check = |given: &[(&'static str, &'static str)], sent: &[(&str, &str)]| {
            let header = |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, v)| *v);
            let headers = TraceContext::named(header).headers();
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            assert_eq!(headers, sent);
        };
        check(&[("traceparent", PARENT)], &[("traceparent", PARENT)]);
        let both = [("traceparent", PARENT), ("tracestate", "a=1,b=2")];
        check(&both, &both);
        check(&[], &[]);
        check(&[("traceparent", "00-0-0-01"), ("tracestate", "a=1")], &[]);
    }
}
