//! Configuration of the server.

use std::time::Duration;

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
    /// Time limit of a shutdown.
    pub drain: Duration,
}

/// A certificate chain and its key, in PEM.
#[derive(Clone)]
pub struct Tls {
    /// The chain.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            tls: None,
            drain: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}
