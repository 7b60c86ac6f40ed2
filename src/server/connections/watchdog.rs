//! Closes connections without requests, and cuts answers that are not read.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::connection::{Answer, Client, Connection, Order};
use super::edge::EdgeContext;
use super::limits::ConnectionLimits;
use crate::proto::reason::ErrorReason;
use crate::server::memory_budget::Budget;
use crate::server::refusal_log;

/// Interval of the checks.
const ROUND: Duration = Duration::from_millis(500);

/// Time for a connection to send its last bytes after it was ordered to finish.
const GRACE: Duration = Duration::from_secs(2);

/// The time limit of unread answers while other calls wait for memory or are refused.
const UNREAD_UNDER_PRESSURE: Duration = Duration::from_secs(5);

/// The same for the client with the most unread answers while calls wait for memory: those of others are to be cut last.
const UNREAD_OF_LARGEST: Duration = Duration::from_secs(1);

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
        let connections = shared.registry.all();
        let largest = is_short.then(|| most_unread(&connections, now)).flatten();
        for connection in connections {
            if let Some(order) = due(&connection, limits, now) {
                connection.order(order);
            }
            let answers = connection.answers();
            if is_short && answers.iter().any(|answer| answer.holds_memory_after_cut()) {
                connection.order(Order::Drop);
            }
            for answer in answers {
                let limit = match largest == Some(answer.client()) {
                    true => unread.min(UNREAD_OF_LARGEST),
                    false => unread,
                };
                cut_if_unread(&*answer, limit, now);
            }
        }
    }
}

/// The client with the most answers that have not been read for some time.
fn most_unread(connections: &[Arc<Connection>], now: Instant) -> Option<Client> {
    let mut counts: HashMap<Client, usize> = HashMap::new();
    for connection in connections {
        let is_unread = |answer: &Arc<dyn Answer>| {
            let since = answer.unread_since();
            since.is_some_and(|since| now.saturating_duration_since(since) >= UNREAD_OF_LARGEST)
        };
        for answer in connection.answers().iter().filter(|answer| is_unread(answer)) {
            *counts.entry(answer.client()).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map(|(client, _)| client)
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
fn cut_if_unread(answer: &dyn Answer, limit: Duration, now: Instant) {
    let unread = answer.unread_since().map(|since| now.saturating_duration_since(since));
    if unread.is_some_and(|unread| unread >= limit) && answer.cut() {
        let span = tracing::info_span!("connection", client = %answer.client());
        span.in_scope(|| refusal_log::note(ErrorReason::ReaderTooSlow.as_str()));
    }
}
