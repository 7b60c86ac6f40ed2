//! Counts connections, in all and by client. Where a limit is reached, those without calls give way to new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::{Client, Connection, Order};
use super::limits::ConnectionLimits;

/// Connections beyond the limits that are answered with a refusal; more are closed at once.
const REFUSALS: usize = 64;

/// One in so many idle connections is closed when a limit is reached: finding them takes a scan of all.
const SHARE: usize = 16;

/// The connections of a server.
#[derive(Debug)]
pub(super) struct Registry {
    limits: ConnectionLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// All connections that have not ended.
    all: HashMap<u64, Entry>,
    /// How many of them count towards the limits: neither refused ones nor those that give way.
    counted: usize,
    by_client: HashMap<Client, usize>,
    refused: usize,
    calls: usize,
    calls_by_client: HashMap<Client, usize>,
    has_refused_call: bool,
}

#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    is_counted: bool,
}

/// A registered connection; leaves the registry when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    id: u64,
    connection: Arc<Connection>,
}

impl Registry {
    pub(super) fn new(limits: ConnectionLimits) -> Registry {
        Registry { limits, table: Mutex::default() }
    }

    /// The limits.
    pub(super) fn limits(&self) -> ConnectionLimits {
        self.limits
    }

    /// Registers a connection from `address`; that of a trusted proxy is not limited per client. If a limit is reached
    /// and all connections have calls, requests on it are refused; `None` if there are many such connections already.
    pub(super) fn admit(
        self: &Arc<Registry>,
        address: IpAddr,
        is_proxy: bool,
    ) -> Option<Registration> {
        let client = Client::at(address);
        let per_client = if is_proxy { usize::MAX } else { self.limits.per_client };
        let mut table = self.lock();
        if table.of(client) >= per_client {
            table.make_way(Some(client));
        }
        if table.counted >= self.limits.total {
            table.make_way(None);
        }
        let is_refused = table.of(client) >= per_client || table.counted >= self.limits.total;
        if is_refused && table.refused >= REFUSALS {
            return None;
        }
        let connection = Arc::new(Connection::new(client, is_proxy, is_refused));
        let id = table.insert(Arc::clone(&connection));
        drop(table);
        Some(Registration { registry: Arc::clone(self), id, connection })
    }

    /// Counts a call of this client, unless the client has half of the calls that others leave: so there are always some for a
    /// client without any. Returns whether the call is counted.
    pub(super) fn admit_call(&self, client: Client) -> bool {
        let mut table = self.lock();
        let all = table.calls;
        let own = table.calls_by_client.entry(client).or_default();
        let left = self.limits.calls.saturating_sub(all - *own);
        let fits = *own < left.div_ceil(2);
        if fits {
            *own += 1;
            table.calls += 1;
        } else {
            table.has_refused_call = true;
        }
        fits
    }

    /// Ends a call that was counted.
    pub(super) fn end_call(&self, client: Client) {
        let mut table = self.lock();
        table.calls -= 1;
        decrement(&mut table.calls_by_client, client);
    }

    /// Whether a call was not admitted since this was asked last.
    pub(super) fn has_refused_call(&self) -> bool {
        std::mem::take(&mut self.lock().has_refused_call)
    }

    /// Closes the connections that have been idle the longest, of all clients.
    pub(super) fn make_way(&self) {
        self.lock().make_way(None);
    }

    /// All connections.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().all.values().map(|entry| Arc::clone(&entry.connection)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn of(&self, client: Client) -> usize {
        self.by_client.get(&client).copied().unwrap_or_default()
    }

    fn insert(&mut self, connection: Arc<Connection>) -> u64 {
        let (id, is_counted) = (self.next, !connection.is_refused());
        self.next += 1;
        if is_counted {
            self.counted += 1;
            *self.by_client.entry(connection.client()).or_default() += 1;
        } else {
            self.refused += 1;
        }
        self.all.insert(id, Entry { connection, is_counted });
        id
    }

    fn remove(&mut self, id: u64) {
        let Some(Entry { connection, is_counted }) = self.all.remove(&id) else { return };
        if is_counted {
            self.uncount(connection.client());
        } else if connection.is_refused() {
            self.refused -= 1;
        }
    }

    fn uncount(&mut self, client: Client) {
        self.counted -= 1;
        decrement(&mut self.by_client, client);
    }

    /// Orders the connections to end that have been idle the longest, of one client or of all. They no longer count.
    fn make_way(&mut self, client: Option<Client>) {
        let mut idle: Vec<_> = self
            .all
            .iter()
            .filter(|(_, entry)| entry.is_counted)
            .filter(|(_, entry)| client.is_none_or(|client| entry.connection.client() == client))
            .filter_map(|(&id, entry)| Some((entry.connection.idle()?, id)))
            .collect();
        idle.sort_by_key(|(idle, id)| (idle.since, *id));
        idle.truncate(idle.len().div_ceil(SHARE));
        for (idle, id) in idle {
            let Some(entry) = self.all.get_mut(&id) else { continue };
            entry.is_counted = false;
            // A client that has kept its connection for more requests may be sending one at this moment.
            let order = if idle.has_served { Order::Finish } else { Order::Drop };
            entry.connection.order(order);
            let client = entry.connection.client();
            self.uncount(client);
        }
    }
}

fn decrement(counts: &mut HashMap<Client, usize>, client: Client) {
    if let Some(count) = counts.get_mut(&client) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&client);
        }
    }
}

impl Registration {
    /// The connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests;
