//! Metrics of a worker of a cluster.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::ModelLabel;
use crate::cluster::tasks::WorkerStatus;

/// All metrics of a worker as text.
pub(crate) fn worker_text(status: &WorkerStatus, missing_models: usize) -> String {
    let mut registry = Registry::with_prefix("stemwire");
    let gauge = |count: usize| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        gauge
    };
    let counter = |count: u64| {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        counter
    };
    let help = "Segments that the worker computes at a time";
    registry.register("worker_lanes", help, gauge(status.lanes));
    registry.register("computing_segments", "Segments at the worker", gauge(status.computing));
    let help = "Models of the gateways that the worker lacks";
    registry.register("worker_missing_models", help, gauge(missing_models));
    let segments: Family<ModelLabel, Counter> = Family::default();
    let seconds: Family<ModelLabel, Counter<f64, AtomicU64>> = Family::default();
    for (model, &(count, time)) in &status.segments {
        let label = ModelLabel { model: model.clone() };
        segments.get_or_create(&label).inc_by(count);
        let bits = time.as_secs_f64().to_bits();
        seconds.get_or_create(&label).inner().store(bits, Ordering::Relaxed);
    }
    registry.register("segments", "Segments separated by engines", segments);
    let help = "Time spent by engines on segments";
    registry.register_with_unit("engine_time", help, Unit::Seconds, seconds);
    let help = "Segments on which an engine has failed";
    registry.register("failed_segments", help, counter(status.failures));
    let help = "Segments whose gateway could not be reached";
    registry.register("unreachable_segments", help, counter(status.unreachable));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
