//! Metrics of the segments that the workers of a cluster compute.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::pool::ClusterState;
use crate::separation::reason_of;

/// Shows the workers, and what they have to do.
#[derive(Debug, Default)]
pub(super) struct TaskMetrics {
    workers: Gauge,
    lanes: Gauge,
    queued: Gauge,
    waiting: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    taken: Counter,
    waited: Counter<f64, AtomicU64>,
    retaken: Counter,
    requeued: Counter,
    failed_engines: Family<WorkerEngineLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerEngineLabels {
    worker: String,
    model: String,
    reason: &'static str,
}

impl TaskMetrics {
    /// Registers all metrics, at zero.
    pub(super) fn registered(registry: &mut Registry) -> TaskMetrics {
        let metrics = TaskMetrics::default();
        let help = "Workers of the cluster";
        registry.register("workers", help, metrics.workers.clone());
        let help = "Segments that the workers compute at a time";
        registry.register("worker_lanes", help, metrics.lanes.clone());
        let help = "Segments of all gateways in the queue, those being computed included";
        registry.register("queued_segments", help, metrics.queued.clone());
        let help = "Segments of this gateway that wait for room in the queue";
        registry.register("waiting_segments", help, metrics.waiting.clone());
        let help = "Age of the oldest segment of this gateway that is not computed";
        registry.register_with_unit("oldest_segment", help, Unit::Seconds, metrics.oldest.clone());
        let help = "Segments that a worker has taken";
        registry.register("taken_segments", help, metrics.taken.clone());
        let help = "Time that segments have waited for a worker";
        let all = metrics.waited.clone();
        registry.register_with_unit("segment_wait", help, Unit::Seconds, all);
        let help = "Segments that another worker has taken after one that was lost or slow";
        registry.register("retaken_segments", help, metrics.retaken.clone());
        let help = "Segments that were lost with the queue and offered again";
        registry.register("requeued_segments", help, metrics.requeued.clone());
        let help =
            "1 for each engine of a worker that fails, so that other workers get its segments";
        registry.register("failed_worker_engines", help, metrics.failed_engines.clone());
        metrics
    }

    /// Shows this state.
    pub(super) fn show(&self, state: &ClusterState) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.workers.set(number(state.workers.len()));
        self.lanes.set(number(state.lanes()));
        self.queued.set(i64::try_from(state.queued).unwrap_or(i64::MAX));
        self.waiting.set(number(state.waiting));
        self.oldest.set(state.oldest.as_secs_f64());
        self.failed_engines.clear();
        for (worker, fault) in state.failed() {
            let reason = fault.health.error.as_ref().map(|error| reason_of(error).as_str());
            let (worker, model) = (worker.name.clone(), fault.model.to_string());
            let labels = WorkerEngineLabels { worker, model, reason: reason.unwrap_or_default() };
            self.failed_engines.get_or_create(&labels).set(1);
        }
        // They are counted elsewhere, and only grow.
        self.taken.inner().store(state.totals.taken, Ordering::Relaxed);
        let waited = state.totals.waited.as_secs_f64();
        self.waited.inner().store(waited.to_bits(), Ordering::Relaxed);
        self.retaken.inner().store(state.totals.retaken, Ordering::Relaxed);
        self.requeued.inner().store(state.totals.requeued, Ordering::Relaxed);
    }
}
