//! Metrics of the object store.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::session::replica::{ReplicaCall, ReplicaObserver};

/// Histogram buckets of calls of the store, in seconds, up to their time limit.
const CALL_SECONDS: [f64; 11] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0, 30.0];

/// Counts calls of the object store.
#[derive(Debug, Clone)]
pub(crate) struct StoreMetrics {
    seconds: Family<StoreCallLabel, Histogram>,
    errors: Family<StoreCallLabel, Counter>,
    failed_requests: Counter,
    stored: Counter,
    read: Counter,
    away: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreCallLabel {
    call: &'static str,
}

impl StoreMetrics {
    /// Registers all metrics, at zero.
    pub(super) fn registered(registry: &mut Registry) -> StoreMetrics {
        let histogram = || Histogram::new(CALL_SECONDS);
        let metrics = StoreMetrics {
            seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            errors: Family::default(),
            failed_requests: Counter::default(),
            stored: Counter::default(),
            read: Counter::default(),
            away: Gauge::default(),
        };
        let (help, all) = ("Duration of calls of the object store", &metrics.seconds);
        registry.register_with_unit("store_call_duration", help, Unit::Seconds, all.clone());
        let help = "Calls of the object store that failed";
        registry.register("store_errors", help, metrics.errors.clone());
        let help = "HTTP requests to the object store that failed, most of which were repeated";
        registry.register("store_failed_requests", help, metrics.failed_requests.clone());
        let (help, all) = ("Bytes stored in the object store", &metrics.stored);
        registry.register_with_unit("store_written", help, Unit::Bytes, all.clone());
        let (help, all) = ("Bytes read from the object store", &metrics.read);
        registry.register_with_unit("store_read", help, Unit::Bytes, all.clone());
        let help = "1 while the object store is away and sessions wait for it";
        registry.register("store_away", help, metrics.away.clone());
        metrics
    }

    /// Shows whether the store is away.
    pub(super) fn set_away(&self, is_away: bool) {
        self.away.set(i64::from(is_away));
    }
}

impl ReplicaObserver for StoreMetrics {
    fn ended(&self, call: ReplicaCall, time: Duration, is_ok: bool) {
        let label = StoreCallLabel { call: call.as_str() };
        self.seconds.get_or_create(&label).observe(time.as_secs_f64());
        self.errors.get_or_create(&label).inc_by(u64::from(!is_ok));
    }

    fn transferred(&self, stored: u64, read: u64) {
        self.stored.inc_by(stored);
        self.read.inc_by(read);
    }

    fn request_failed(&self) {
        self.failed_requests.inc();
    }
}
