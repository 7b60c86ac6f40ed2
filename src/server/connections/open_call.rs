//! A call under way. Its connection is not idle, and the call counts, while it lives.

use std::sync::Arc;

use super::connection::Connection;
use super::registry::Registry;

/// A call under way.
#[derive(Debug)]
pub(super) struct OpenCall {
    connection: Arc<Connection>,
    registry: Arc<Registry>,
    is_counted: bool,
}

impl OpenCall {
    /// Begins a call. It is not counted if there are too many: then it is to be refused.
    pub(super) fn begin(connection: &Arc<Connection>, registry: &Arc<Registry>) -> OpenCall {
        connection.begin_call();
        let is_counted = registry.admit_call(connection.client());
        OpenCall { connection: Arc::clone(connection), registry: Arc::clone(registry), is_counted }
    }

    /// Its connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
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
            self.registry.end_call(self.connection.client());
        }
    }
}
