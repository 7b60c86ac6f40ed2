//! Limits on connections.

use std::time::Duration;

/// Limits on the connections of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub total: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 network of 64 bits.
    pub per_client: usize,
    /// Time from accepting a connection to the head of its first request, with the TLS handshake.
    pub head: Duration,
    /// Time without a request after which a connection is closed.
    pub idle: Duration,
    /// Calls under way in all; a client may have half of those that others leave.
    pub calls: usize,
    /// Time after which an answer is cut that its client does not read.
    pub unread: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            total: 4096,
            per_client: 1024,
            head: Duration::from_secs(10),
            // Above the 60 s after which proxies commonly close theirs: the side that sends requests should be first.
            idle: Duration::from_secs(70),
            calls: 4096,
            unread: Duration::from_secs(300),
        }
    }
}

/// Open files that sessions and the server itself need at least.
const RESERVED_FILES: u64 = 128;

impl ConnectionLimits {
    /// The same limits, with as many connections as the process can have beside the files of its sessions: those get a
    /// quarter of all `open_files` and 128 more.
    pub fn within(self, open_files: u64) -> ConnectionLimits {
        let free = open_files.saturating_sub(open_files / 4 + RESERVED_FILES);
        // A process with so few files can still serve some clients.
        let most = usize::try_from(free).unwrap_or(usize::MAX).max(8);
        ConnectionLimits { total: self.total.min(most), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_sessions() {
        let total = |open_files| ConnectionLimits::default().within(open_files).total;
        assert_eq!(total(1024), 640);
        assert_eq!(total(1 << 20), ConnectionLimits::default().total);
        assert_eq!(total(64), 8);
    }
}
