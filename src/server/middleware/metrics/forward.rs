//! Metrics of calls that are forwarded to other gateways.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::Span;
use tracing::field::Empty;

use crate::trace::{self, TraceContext};

/// Counts forwarded calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForwardMetrics {
    calls: Family<ForwardLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ForwardLabels {
    method: String,
    outcome: &'static str,
}

/// How a forwarded call has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForwardOutcome {
    /// The other gateway has answered it, with success or an error.
    Answered,
    /// The other gateway cannot be reached, or has ended the connection without an answer.
    Unreachable,
    /// The answer broke off.
    Broken,
    /// The client has left, or was too slow.
    Abandoned,
    /// There was no memory for its answer, or too much of its request had been read.
    Refused,
    /// It came from another gateway, and the session is not here either.
    Elsewhere,
}

/// A forwarded call; counted when it ends.
#[derive(Debug)]
pub(crate) struct ForwardedCount {
    metrics: ForwardMetrics,
    method: String,
    is_counted: bool,
    /// Disabled without traces.
    span: Span,
}

impl ForwardMetrics {
    /// Adds them to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls forwarded to other gateways by method and outcome";
        registry.register("forwarded_calls", help, self.calls.clone());
    }

    /// Counts a call.
    pub(crate) fn count(&self, method: &str, outcome: ForwardOutcome) {
        let labels = ForwardLabels { method: method.to_owned(), outcome: outcome.as_str() };
        self.calls.get_or_create(&labels).inc();
    }

    /// Begins a call to `gateway`, which is part of the one at `trace`.
    pub(crate) fn begin(
        &self,
        method: String,
        gateway: &str,
        trace: &TraceContext,
    ) -> ForwardedCount {
        let span = tracing::info_span!(
            target: trace::TARGET,
            parent: None,
            "forward",
            otel.name = method,
            otel.kind = "client",
            otel.status_code = Empty,
            server.address = gateway,
            "error.type" = Empty,
        );
        trace.adopt(&span);
        ForwardedCount { metrics: self.clone(), method, is_counted: false, span }
    }
}

impl ForwardedCount {
    /// Where it is in its trace.
    pub(crate) fn trace(&self) -> TraceContext {
        TraceContext::of(&self.span)
    }

    /// Counts the call, unless it was.
    pub(crate) fn end(&mut self, outcome: ForwardOutcome) {
        if !std::mem::replace(&mut self.is_counted, true) {
            if outcome != ForwardOutcome::Answered {
                self.span.record("error.type", outcome.as_str());
                self.span.record("otel.status_code", "ERROR");
            }
            self.metrics.count(&self.method, outcome);
        }
    }
}

impl Drop for ForwardedCount {
    fn drop(&mut self) {
        self.end(ForwardOutcome::Abandoned);
    }
}

impl ForwardOutcome {
    fn as_str(self) -> &'static str {
        match self {
            ForwardOutcome::Answered => "answered",
            ForwardOutcome::Unreachable => "unreachable",
            ForwardOutcome::Broken => "broken",
            ForwardOutcome::Abandoned => "abandoned",
            ForwardOutcome::Refused => "refused",
            ForwardOutcome::Elsewhere => "elsewhere",
        }
    }
}
