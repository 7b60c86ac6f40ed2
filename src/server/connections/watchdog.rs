//! Closes connections without requests.

use std::sync::Weak;
use std::time::{Duration, Instant};

use super::connection::{Connection, Order};
use super::limits::ConnectionLimits;
use super::registry::Registry;

/// Interval of the checks.
const ROUND: Duration = Duration::from_millis(500);

/// Time for a connection to send its last bytes after it was ordered to finish.
const GRACE: Duration = Duration::from_secs(2);

/// Checks all connections at every interval, until the registry is dropped.
pub(super) async fn watch(registry: Weak<Registry>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(registry) = registry.upgrade() else { return };
        let (limits, now) = (registry.limits(), Instant::now());
        for connection in registry.all() {
            if let Some(order) = due(&connection, limits, now) {
                connection.order(order);
            }
        }
    }
}

/// The order that a connection gets now. Only one without calls gets any.
fn due(connection: &Connection, limits: ConnectionLimits, now: Instant) -> Option<Order> {
    let idle = connection.idle()?;
    let silent = now.saturating_duration_since(idle.since.max(connection.last_written()));
    match connection.ordered() {
        Order::Serve if !idle.has_served => {
            // What was written before the first request is only the protocol's.
            let waited = now.saturating_duration_since(idle.since);
            (waited >= limits.head).then_some(Order::Drop)
        }
        Order::Serve => (silent >= limits.idle).then_some(Order::Finish),
        Order::Finish => (silent >= GRACE.min(limits.idle)).then_some(Order::Drop),
        Order::Drop => None,
    }
}
