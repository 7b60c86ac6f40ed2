//! Configuration of the server.

use std::sync::Arc;
use std::time::Duration;

use super::connections::ConnectionLimits;
use super::credentials::Credentials;

/// Access rules, connections and shutdown of the server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Tokens of which every call must carry one as `authorization: Bearer …`, and certificate and key. Without them calls
    /// need no token, and connections are in cleartext.
    pub credentials: Arc<Credentials>,
    /// Accepted host names besides `localhost` and IP addresses.
    pub hosts: Vec<String>,
    /// Web origins, besides the server's own, that may call it.
    pub origins: Vec<String>,
    /// Wrong tokens of one client per minute that are answered as such; more are refused as too many.
    pub max_guesses: u32,
    /// Limits on connections.
    pub connections: ConnectionLimits,
    /// Time limit of a shutdown.
    pub drain: Duration,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            credentials: Arc::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            max_guesses: 30,
            connections: ConnectionLimits::default(),
            drain: Duration::from_secs(10),
        }
    }
}
