//! Configuration of the server.

use std::sync::Arc;
use std::time::Duration;

use super::connections::{ConnectionLimits, TrustedProxies};
use super::credentials::Credentials;
use crate::cluster::ClusterSecret;
use crate::cluster::tasks::OfferedTasks;

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
    /// Proxies that name the clients of their requests.
    pub trusted_proxies: TrustedProxies,
    /// Memory of all calls together.
    pub memory: MemoryLimits,
    /// Downloads that FFmpeg encodes at a time.
    pub max_encoders: usize,
    /// Time limit of a shutdown.
    pub drain: Duration,
    /// Tasks for the workers of a cluster.
    pub tasks: Option<OfferedTasks>,
    /// What it needs beside other gateways; `None` for a server that is alone.
    pub gateway: Option<GatewayConfig>,
}

/// A gateway among others, which have their own sessions.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Its name.
    pub name: String,
    /// The secret by which gateways recognise each other's calls; `None` if all are on this machine.
    pub secret: Option<ClusterSecret>,
}

/// Memory of all calls together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes of messages that have not arrived completely or have not been processed.
    pub received_bytes: u64,
    /// Bytes of answers that have been read from disk and not been sent.
    pub unsent_bytes: u64,
}

impl MemoryLimits {
    /// The least that a message, a form and an answer need.
    pub const LEAST: MemoryLimits = MemoryLimits { received_bytes: 4 << 20, unsent_bytes: 4 << 20 };
}

impl Default for MemoryLimits {
    fn default() -> MemoryLimits {
        MemoryLimits { received_bytes: 64 << 20, unsent_bytes: 512 << 20 }
    }
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            credentials: Arc::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            max_guesses: 30,
            connections: ConnectionLimits::default(),
            trusted_proxies: TrustedProxies::default(),
            memory: MemoryLimits::default(),
            // A process of about 40 MB each, or five.
            max_encoders: 4,
            drain: Duration::from_secs(10),
            tasks: None,
            gateway: None,
        }
    }
}
