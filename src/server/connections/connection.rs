//! One connection: its client, its open calls, and the order to end.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::http::Extensions;
use tokio::sync::watch;

/// A client, for limits per client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// The client at `address`. A host usually has a whole IPv6 network of 64 bits, so that is one client.
    pub(crate) fn at(address: IpAddr) -> Client {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & (u128::MAX << 64);
                Client(IpAddr::V6(Ipv6Addr::from(network)))
            }
            v4 => Client(v4),
        }
    }
}

/// The address of the client whose request has these extensions; of its network where that is IPv6.
pub(in crate::server) fn client_of(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Client>().map(|client| client.0)
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a connection has been ordered to do. A later order goes beyond the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Serve requests.
    Serve,
    /// Take no more requests and end when those under way have ended.
    Finish,
    /// End now.
    Drop,
}

/// A connection, shared by its task, its calls and the registry.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    /// Whether its client is a trusted proxy, which names the clients of its requests.
    is_proxy: bool,
    /// Beyond the limits: every request on it is refused.
    is_refused: bool,
    activity: Mutex<Activity>,
    answers: Mutex<Vec<Weak<dyn Answer>>>,
    order: watch::Sender<Order>,
    accepted: Instant,
    /// When bytes were last written, in milliseconds after `accepted`.
    written: AtomicU64,
}

#[derive(Debug)]
struct Activity {
    open: usize,
    has_served: bool,
    /// When the last call ended, or when the connection was accepted.
    since: Instant,
}

/// An answer that is being sent.
pub(super) trait Answer: Send + Sync + std::fmt::Debug {
    /// The client that it is for.
    fn client(&self) -> Client;

    /// Since when the client has read nothing of what was sent.
    fn unread_since(&self) -> Option<Instant>;

    /// Drops what is still to be sent, which ends the call. Returns whether the call was open.
    fn cut(&self) -> bool;

    /// Whether it was cut, and what was sent before is still in memory.
    fn holds_memory_after_cut(&self) -> bool;
}

/// A connection without calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    pub(super) since: Instant,
    /// Whether it has had a call.
    pub(super) has_served: bool,
}

impl Connection {
    pub(super) fn new(client: Client, is_proxy: bool, is_refused: bool) -> Connection {
        let accepted = Instant::now();
        Connection {
            client,
            is_proxy,
            is_refused,
            activity: Mutex::new(Activity { open: 0, has_served: false, since: accepted }),
            answers: Mutex::default(),
            order: watch::channel(Order::Serve).0,
            accepted,
            written: AtomicU64::new(0),
        }
    }

    /// Its client, which may be a proxy.
    pub(super) fn client(&self) -> Client {
        self.client
    }

    /// Whether its client is a trusted proxy, which names the clients of its requests.
    pub(super) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// Whether every request on it is refused.
    pub(in crate::server) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Notes the beginning of a call.
    pub(super) fn begin_call(&self) {
        let mut activity = self.activity();
        activity.open += 1;
        activity.has_served = true;
    }

    /// Notes the end of a call.
    pub(super) fn end_call(&self) {
        let mut activity = self.activity();
        activity.open -= 1;
        if activity.open == 0 {
            activity.since = Instant::now();
        }
    }

    /// Adds an answer that is being sent.
    pub(super) fn add_answer(&self, answer: Weak<dyn Answer>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == answers.capacity() {
            answers.retain(|answer| answer.strong_count() > 0);
        }
        answers.push(answer);
    }

    /// The answers that are being sent.
    pub(super) fn answers(&self) -> Vec<Arc<dyn Answer>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Since when it has had no calls; `None` while it has some.
    pub(super) fn idle(&self) -> Option<Idle> {
        let Activity { open, has_served, since } = *self.activity();
        (open == 0).then_some(Idle { since, has_served })
    }

    /// Gives an order; one that does not go beyond an earlier one has no effect.
    pub(super) fn order(&self, order: Order) {
        self.order.send_if_modified(|current| {
            let goes_beyond = order > *current;
            *current = order.max(*current);
            goes_beyond
        });
    }

    /// Orders it to take no more requests and to end when those under way have ended.
    pub(in crate::server) fn finish(&self) {
        self.order(Order::Finish);
    }

    /// The orders to it.
    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    /// The order that it has.
    pub(super) fn ordered(&self) -> Order {
        *self.order.borrow()
    }

    /// Notes that bytes were written.
    pub(super) fn note_written(&self) {
        let after = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.written.store(after, Ordering::Relaxed);
    }

    /// When bytes were last written, or when it was accepted.
    pub(super) fn last_written(&self) -> Instant {
        self.accepted + Duration::from_millis(self.written.load(Ordering::Relaxed))
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_network() {
        let same = |one: &str, other: &str, expected| {
            let client = |text: &str| Client::at(text.parse().unwrap());
            assert_eq!(client(one) == client(other), expected, "{one} {other}");
        };
        same("10.0.0.1", "10.0.0.1", true);
        same("10.0.0.1", "10.0.0.2", false);
        same("10.0.0.1", "::ffff:10.0.0.1", true);
        same("2001:db8::1", "2001:db8::ffff:2", true);
        same("2001:db8::1", "2001:db8:0:1::1", false);
    }

    #[test]
    fn a_connection_is_idle_between_calls() {
        let connection = Connection::new(Client::at([127, 0, 0, 1].into()), false, false);
        assert!(!connection.idle().unwrap().has_served);
        connection.begin_call();
        connection.begin_call();
        connection.end_call();
        assert!(connection.idle().is_none());
        connection.end_call();
        assert!(connection.idle().unwrap().has_served);
    }

    #[test]
    fn a_later_stop_request_never_weakens_an_earlier_one() {
        let connection = Connection::new(Client::at([127, 0, 0, 1].into()), false, false);
        connection.order(Order::Finish);
        connection.order(Order::Drop);
        connection.order(Order::Finish);
        assert_eq!(connection.ordered(), Order::Drop);
    }
}
