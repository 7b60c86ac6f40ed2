//! Configuration of the server.

use std::time::Duration;

use super::connections::{ConnectionLimits, Tls};

/// Access rules, TLS and shutdown of the server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Token that every call must carry as `authorization: Bearer …`; `None` accepts calls without one.
    pub token: Option<String>,
    /// Accepted host names besides `localhost` and IP addresses.
    pub hosts: Vec<String>,
    /// Web origins, besides the server's own, that may call it.
    pub origins: Vec<String>,
    /// Certificate and key; `None` serves cleartext.
    pub tls: Option<Tls>,
    /// Limits on connections.
    pub connections: ConnectionLimits,
    /// Time limit of a shutdown.
    pub drain: Duration,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
            connections: ConnectionLimits::default(),
            drain: Duration::from_secs(10),
        }
    }
}
