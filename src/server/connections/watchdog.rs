//! Closes connections without requests, and cuts answers that are not read.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::connection::{Answer, Connection, Order};
use super::edge::EdgeContext;
use super::limits::ConnectionLimits;
use crate::proto::reason::ErrorReason;
use crate::server::budget::Budget;
use crate::server::refusal_log;

/// Interval of the checks.
const ROUND: Duration = Duration::from_millis(500);

/// Time for a connection to send its last bytes after it was ordered to finish.
const GRACE: Duration = Duration::from_secs(2);

/// The time limit of unread answers while other calls wait for memory or are refused.
const UNREAD_UNDER_PRESSURE: Duration = Duration::from_secs(5);

/// Checks all connections at every interval, until the server neither accepts nor serves any.
pub(super) async fn watch(shared: Weak<EdgeContext>, read_ahead: Arc<Budget>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(shared) = shared.upgrade() else { return };
        let limits = shared.registry.limits();
        let is_short = shared.unsent.is_short() || read_ahead.is_short();
        let unread = match is_short || shared.registry.has_refused_call() {
            true => limits.unread.min(UNREAD_UNDER_PRESSURE),
            false => limits.unread,
        };
        let now = Instant::now();
        for connection in shared.registry.all() {
            if let Some(order) = due(&connection, limits, now) {
                connection.order(order);
            }
            let answers = connection.answers();
            if is_short && answers.iter().any(|answer| answer.holds_memory_after_cut()) {
                connection.order(Order::Drop);
            }
            for answer in answers {
                cut_if_unread(&connection, &*answer, unread, now);
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

/// Cuts an answer that has not been read for as long as `limit`.
fn cut_if_unread(connection: &Connection, answer: &dyn Answer, limit: Duration, now: Instant) {
    let unread = answer.unread_since().map(|since| now.saturating_duration_since(since));
    if unread.is_some_and(|unread| unread >= limit) && answer.cut() {
        let span = tracing::info_span!("connection", client = %connection.client());
        span.in_scope(|| refusal_log::note(ErrorReason::ReaderTooSlow.as_str()));
    }
}
