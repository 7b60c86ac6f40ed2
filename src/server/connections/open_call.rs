//! A call under way. Its connection is not idle, and the call counts, while it lives.

use std::sync::Arc;

use super::connection::{Client, Connection};
use super::registry::Registry;

/// A call under way.
#[derive(Debug)]
pub(super) struct OpenCall {
    connection: Arc<Connection>,
    client: Client,
    registry: Arc<Registry>,
    is_counted: bool,
}

impl OpenCall {
    /// Begins a call of `client`. It is not counted if there are too many: then it is to be refused.
    pub(super) fn begin(
        connection: &Arc<Connection>,
        client: Client,
        registry: &Arc<Registry>,
    ) -> OpenCall {
        connection.begin_call();
        let is_counted = registry.admit_call(client);
        let (connection, registry) = (Arc::clone(connection), Arc::clone(registry));
        OpenCall { connection, client, registry, is_counted }
    }

    /// Its connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Its client.
    pub(super) fn client(&self) -> Client {
        self.client
    }

    /// Whether it is within the limits.
    pub(super) fn is_counted(&self) -> bool {
        self.is_counted
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.connection.end_call();
        if self.is_counted {
            self.registry.end_call(self.client);
        }
    }
}
