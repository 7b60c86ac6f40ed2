//! What a server is started with.

use std::time::Duration;

/// Who may talk to the server, and how it ends.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// What every call must carry as `authorization: Bearer …`; `None` takes all calls.
    pub token: Option<String>,
    /// Host names beside `localhost` and IP addresses under which the server may be called.
    pub hosts: Vec<String>,
    /// Origins of web pages, beside the server's own, that may call it.
    pub origins: Vec<String>,
    /// Certificate and key; `None` speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How long ending may take.
    pub drain: Duration,
}

/// A certificate chain and its key, as PEM.
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
