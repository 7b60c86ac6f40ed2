//! The listening socket: bound early, opened for connections late.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::ServerError;

/// Connections that the system queues until they are accepted.
const BACKLOG: u32 = 1024;

/// A bound address that does not listen yet, so connections are refused. If it listened during start-up,
/// connections would be queued: clients would seem to hang, and TCP probes would report the server as ready.
#[derive(Debug)]
pub struct Reserved {
    asked: SocketAddr,
    socket: TcpSocket,
}

/// Binds an address, so that an address in use is reported early. If two servers bind the same address at the
/// same moment, the later one fails only in [`listen`](Reserved::listen).
///
/// # Errors
/// [`ServerError::Listen`].
pub fn reserve(address: SocketAddr) -> Result<Reserved, ServerError> {
    let bound = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of the previous server in TIME_WAIT would block the address for a minute. On Windows they
        // do not, and the option would let two servers share the address.
        if cfg!(not(windows)) {
            socket.set_reuseaddr(true)?;
        }
        socket.bind(address)?;
        Ok(socket)
    };
    let socket = bound().map_err(|source| ServerError::Listen { address, source })?;
    Ok(Reserved { asked: address, socket })
}

impl Reserved {
    /// The address, with the port that the system has chosen if none was asked for.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.asked)
    }

    /// Starts to listen. Must be called on a thread of the Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Listen`].
    pub fn listen(self) -> Result<TcpListener, ServerError> {
        let address = self.asked;
        self.socket.listen(BACKLOG).map_err(|source| ServerError::Listen { address, source })
    }
}
