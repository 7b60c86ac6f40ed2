//! The server's address: taken early, listened at late.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::ServerError;

/// Connections that may wait until they are accepted.
const BACKLOG: u32 = 1024;

/// An address that is bound and not yet listened on. Connections are refused at once, as without a server: a
/// connection that waited until one is ready would look like one that hangs, and to those who only connect like
/// one that serves.
#[derive(Debug)]
pub struct Reserved {
    asked: SocketAddr,
    socket: TcpSocket,
}

/// Takes an address, so that an address in use is known early. Of two servers that both start there
/// at this moment the later one only finds out when it [listens](Reserved::listen).
///
/// # Errors
/// [`ServerError::Listen`].
pub fn reserve(address: SocketAddr) -> Result<Reserved, ServerError> {
    let bound = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Otherwise what is left of the connections of the server before keeps the address for a minute. On Windows
        // that is never so, and this would let two servers have it.
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
    /// Listens; only on a thread of the asynchronous runtime.
    ///
    /// # Errors
    /// [`ServerError::Listen`].
    pub fn listen(self) -> Result<TcpListener, ServerError> {
        let address = self.asked;
        self.socket.listen(BACKLOG).map_err(|source| ServerError::Listen { address, source })
    }
}
