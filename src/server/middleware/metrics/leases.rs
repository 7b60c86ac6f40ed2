//! Metrics of the leases of sessions.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::session::leases::LeaseTotals;

/// Shows how the leases of this server have changed.
#[derive(Debug, Default)]
pub(super) struct LeaseMetrics(Family<LeaseChangeLabel, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaseChangeLabel {
    change: &'static str,
}

impl LeaseMetrics {
    /// Registers them, at zero.
    pub(super) fn registered(registry: &mut Registry) -> LeaseMetrics {
        let metrics = LeaseMetrics::default();
        let help = "Leases of sessions that were taken over, not renewed in time, regained or lost";
        registry.register("lease_changes", help, metrics.0.clone());
        metrics.show(LeaseTotals::default());
        metrics
    }

    /// Shows these numbers.
    pub(super) fn show(&self, totals: LeaseTotals) {
        let LeaseTotals { taken_over, expired, regained, lost } = totals;
        let changes = [
            ("taken_over", taken_over),
            ("expired", expired),
            ("regained", regained),
            ("lost", lost),
        ];
        for (change, count) in changes {
            // They are counted elsewhere, and only grow.
            let counter = self.0.get_or_create(&LeaseChangeLabel { change });
            counter.inner().store(count, Ordering::Relaxed);
        }
    }
}
