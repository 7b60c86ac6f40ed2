//! Prometheus metrics.
//!
//! [`calls`] counts calls, with the labels of [`labels`]; [`access`] counts reloads of credentials, [`store`] calls of the object
//! store, if there is one, [`leases`] their changes, [`forward`] calls for other gateways, and [`tasks`] segments of workers. [`worker`] has those of a worker itself. Sessions and engines report through [`Observer`]; gauges are read at every scrape.

mod access;
mod calls;
mod forward;
mod labels;
mod leases;
mod store;
mod tasks;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::separation::{Observer, Separations};
use crate::session::manifest::EngineChange;

pub(crate) use calls::{CallCounter, count};
pub(crate) use forward::{ForwardMetrics, ForwardOutcome, ForwardedCount};
pub(crate) use worker::worker_text;

use access::AccessMetrics;
use leases::LeaseMetrics;
use store::StoreMetrics;
use tasks::TaskMetrics;

/// The media type of the metrics.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Histogram buckets of call durations, in seconds: from a status query to a long song.
const CALL_SECONDS: [f64; 12] =
    [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// Histogram buckets of the time to the first stem, in seconds.
const FIRST_STEM_SECONDS: [f64; 9] = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0];

/// All metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    /// Of credentials.
    pub(in crate::server) access: AccessMetrics,
    grpc: Family<GrpcLabels, Counter>,
    grpc_seconds: Family<GrpcMethod, Histogram>,
    http: Family<HttpLabels, Counter>,
    http_seconds: Family<HttpRoute, Histogram>,
    uploaded: Counter,
    segments: Family<ModelLabel, Counter>,
    engine_seconds: Family<ModelLabel, Counter<f64, AtomicU64>>,
    first_stem: Histogram,
    fallbacks: Family<FallbackLabels, Counter>,
    open_sessions: Gauge,
    queued_sessions: Gauge,
    parked_sessions: Gauge,
    stored: Gauge,
    unreadable_sessions: Gauge,
    /// `None` without an object store.
    store: Option<StoreMetrics>,
    /// `None` outside a cluster.
    leases: Option<LeaseMetrics>,
    /// `None` unless workers compute.
    tasks: Option<TaskMetrics>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GrpcLabels {
    method: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GrpcMethod {
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpRoute {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabel {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    from: String,
    to: String,
    reason: &'static str,
}

impl Metrics {
    /// All metrics, at zero.
    pub(crate) fn new() -> Metrics {
        let calls = || Histogram::new(CALL_SECONDS);
        let mut metrics = Metrics {
            registry: Registry::with_prefix("stemwire"),
            access: AccessMetrics::default(),
            grpc: Family::default(),
            grpc_seconds: Family::new_with_constructor(calls as fn() -> Histogram),
            http: Family::default(),
            http_seconds: Family::new_with_constructor(calls as fn() -> Histogram),
            uploaded: Counter::default(),
            segments: Family::default(),
            engine_seconds: Family::default(),
            first_stem: Histogram::new(FIRST_STEM_SECONDS),
            fallbacks: Family::default(),
            open_sessions: Gauge::default(),
            queued_sessions: Gauge::default(),
            parked_sessions: Gauge::default(),
            stored: Gauge::default(),
            unreadable_sessions: Gauge::default(),
            store: None,
            leases: None,
            tasks: None,
        };
        metrics.register();
        metrics
    }

    /// All metrics of a server with these sessions, some of which report to them, and of calls that it forwards if it does.
    pub(crate) fn of(
        separations: &Separations,
        forwarded: Option<&ForwardMetrics>,
    ) -> Arc<Metrics> {
        let mut metrics = Metrics::new();
        if let Some(forwarded) = forwarded {
            forwarded.register(&mut metrics.registry);
        }
        if separations.store().is_replicated() {
            let store = StoreMetrics::registered(&mut metrics.registry);
            separations.store().observe_replica(Arc::new(store.clone()));
            metrics.store = Some(store);
        }
        if separations.store().is_shared() {
            metrics.leases = Some(LeaseMetrics::registered(&mut metrics.registry));
        }
        if separations.pool().cluster().is_some() {
            metrics.tasks = Some(TaskMetrics::registered(&mut metrics.registry));
        }
        let metrics = Arc::new(metrics);
        separations.observe(Arc::clone(&metrics) as Arc<dyn Observer>);
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "grpc_requests",
            "Ended gRPC calls by method and code",
            self.grpc.clone(),
        );
        let (help, all) = ("Duration of gRPC calls, up to the last message", &self.grpc_seconds);
        registry.register_with_unit("grpc_request_duration", help, Unit::Seconds, all.clone());
        registry.register(
            "http_requests",
            "Ended HTTP requests by method, route and status",
            self.http.clone(),
        );
        let (help, all) = ("Duration of HTTP requests, up to the last byte", &self.http_seconds);
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, all.clone());
        let (help, all) = ("Bytes of uploads received", &self.uploaded);
        registry.register_with_unit("uploaded", help, Unit::Bytes, all.clone());
        registry.register("segments", "Segments separated by engines", self.segments.clone());
        let (help, all) = ("Time spent by engines on segments", &self.engine_seconds);
        registry.register_with_unit("engine_time", help, Unit::Seconds, all.clone());
        let (help, all) = ("Time from a session's start to its first stem", &self.first_stem);
        registry.register_with_unit("first_stem_latency", help, Unit::Seconds, all.clone());
        let help = "Switches to another engine";
        registry.register("fallbacks", help, self.fallbacks.clone());
        let help = "Sessions that hold a slot";
        registry.register("open_sessions", help, self.open_sessions.clone());
        registry.register(
            "queued_sessions",
            "Sessions that wait for a slot",
            self.queued_sessions.clone(),
        );
        let help = "Sessions without a slot that wait for more of their upload";
        registry.register("parked_sessions", help, self.parked_sessions.clone());
        let (help, all) = ("Disk space allocated for sessions", &self.stored);
        registry.register_with_unit("stored", help, Unit::Bytes, all.clone());
        let help = "Stored sessions that cannot be read";
        registry.register("unreadable_sessions", help, self.unreadable_sessions.clone());
        self.access.register(registry);
    }

    /// All metrics as text; gauges are read now.
    pub(crate) fn text(&self, separations: &Separations) -> String {
        let counts = separations.counts();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.open_sessions.set(number(counts.open as u64));
        self.queued_sessions.set(number(counts.queued as u64));
        self.parked_sessions.set(number(counts.parked as u64));
        self.stored.set(number(separations.store().stored_bytes()));
        self.unreadable_sessions.set(number(separations.store().unreadable() as u64));
        if let Some(store) = &self.store {
            store.set_away(separations.store().outage().is_some());
        }
        if let (Some(leases), Some(totals)) = (&self.leases, separations.store().lease_totals()) {
            leases.show(totals);
        }
        if let (Some(tasks), Some(state)) = (&self.tasks, separations.pool().cluster()) {
            tasks.show(&state);
        }
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Observer for Metrics {
    fn uploaded(&self, bytes: u64) {
        self.uploaded.inc_by(bytes);
    }

    fn separated(&self, model: &str, engine_time: Duration) {
        let label = ModelLabel { model: model.to_owned() };
        self.segments.get_or_create(&label).inc();
        self.engine_seconds.get_or_create(&label).inc_by(engine_time.as_secs_f64());
    }

    fn first_stem(&self, after: Duration) {
        self.first_stem.observe(after.as_secs_f64());
    }

    fn engine_changed(&self, change: &EngineChange) {
        let labels = FallbackLabels {
            from: change.from.model.clone(),
            to: change.to.model.clone(),
            reason: change.reason.as_str(),
        };
        self.fallbacks.get_or_create(&labels).inc();
    }
}
