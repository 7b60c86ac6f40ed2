//! Connections to the other gateways: HTTP/2, in cleartext or TLS, kept for later calls.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::relayed_body::RelayedBody;
use super::tls::GatewayTls;

/// Time limit of connecting, with the TLS handshake. A gateway that is lost must not hold up its clients, which try again.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Interval of pings on a connection with calls, and time limit of the reply: a gateway that is stopped or cut off accepts
/// bytes and answers nothing.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls on one connection: as many as its flow-control window has room for if none of their streams is read. With more, a
/// client that does not read, or an upload that waits for the object store, would hold up the calls of others.
const CALLS_PER_CONNECTION: usize = 4;

/// Bytes of an answer that may be under way before the client has read them.
pub(super) const ANSWER_WINDOW: u32 = 128 << 10;

/// Limit of the headers of an answer, in bytes: those of an error carry its details.
const MAX_HEADER_BYTES: u32 = 64 << 10;

/// The address of another gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GatewayAddress {
    is_tls: bool,
    authority: Authority,
}

/// Why a call did not reach another gateway, or has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::server) enum GatewayError {
    #[error("{0:?} is not the address of a gateway")]
    Address(String),
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("cannot connect within {} s", CONNECT_TIME.as_secs())]
    ConnectTime,
    #[error("the connection has failed: {}", innermost(.0))]
    Connection(#[from] hyper::Error),
}

/// The open connections, by gateway.
pub(super) struct GatewayConnections {
    tls: Option<GatewayTls>,
    open: Mutex<HashMap<GatewayAddress, Vec<Arc<GatewayConnection>>>>,
}

#[derive(Debug)]
struct GatewayConnection {
    sender: SendRequest<RelayedBody>,
    calls: AtomicUsize,
}

/// A call on a connection. It counts until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionUse(Arc<GatewayConnection>);

impl GatewayConnections {
    /// No connections yet.
    pub(super) fn new(tls: Option<GatewayTls>) -> GatewayConnections {
        GatewayConnections { tls, open: Mutex::default() }
    }

    /// The gateway at `HOST:PORT`. Either all gateways have certificates, or none has.
    ///
    /// # Errors
    /// [`GatewayError::Address`].
    pub(super) fn address(&self, text: &str) -> Result<GatewayAddress, GatewayError> {
        GatewayAddress::parse(text, self.tls.is_some())
    }

    /// Makes a request at a gateway. Its answer ends when the connection does.
    ///
    /// # Errors
    /// The gateway cannot be reached, or the connection fails before it has answered.
    pub(super) async fn send(
        &self,
        address: &GatewayAddress,
        mut request: Request<RelayedBody>,
    ) -> Result<(Response<Incoming>, ConnectionUse), GatewayError> {
        if let Some(used) = self.free(address) {
            let mut sender = used.0.sender.clone();
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, used)),
                Err(mut failed) => match failed.take_message() {
                    // The gateway has closed the idle connection meanwhile.
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        let used = self.connect(address).await?;
        let response = used.0.sender.clone().send_request(request).await?;
        Ok((response, used))
    }

    /// A connection with room for a call.
    fn free(&self, address: &GatewayAddress) -> Option<ConnectionUse> {
        let mut open = self.lock();
        open.retain(|_, connections| {
            connections.retain(|connection| !connection.sender.is_closed());
            !connections.is_empty()
        });
        let mut of_gateway = open.get(address)?.iter();
        let room = |connection: &&Arc<GatewayConnection>| {
            connection.calls.load(Ordering::Relaxed) < CALLS_PER_CONNECTION
        };
        of_gateway.find(room).map(ConnectionUse::begin)
    }

    async fn connect(&self, address: &GatewayAddress) -> Result<ConnectionUse, GatewayError> {
        let connecting = timeout(CONNECT_TIME, self.open(address)).await;
        let sender = connecting.map_err(|_| GatewayError::ConnectTime)??;
        let connection = Arc::new(GatewayConnection { sender, calls: AtomicUsize::new(0) });
        let used = ConnectionUse::begin(&connection);
        self.lock().entry(address.clone()).or_default().push(connection);
        Ok(used)
    }

    async fn open(
        &self,
        address: &GatewayAddress,
    ) -> Result<SendRequest<RelayedBody>, GatewayError> {
        let host = address.authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = address.authority.port_u16().unwrap_or_default();
        let stream = TcpStream::connect((host, port)).await.map_err(GatewayError::Connect)?;
        stream.set_nodelay(true).map_err(GatewayError::Connect)?;
        match &self.tls {
            Some(tls) => {
                handshake(tls.connect(host, stream).await.map_err(GatewayError::Connect)?).await
            }
            None => handshake(stream).await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GatewayAddress, Vec<Arc<GatewayConnection>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handshake<I>(io: I) -> Result<SendRequest<RelayedBody>, GatewayError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection_window = ANSWER_WINDOW * u32::try_from(CALLS_PER_CONNECTION).unwrap_or(1);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(ANSWER_WINDOW)
        .initial_connection_window_size(connection_window)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .handshake(TokioIo::new(io))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to another gateway has failed");
        }
    });
    Ok(sender)
}

impl GatewayAddress {
    /// The address `HOST:PORT`, with TLS or without.
    fn parse(text: &str, is_tls: bool) -> Result<GatewayAddress, GatewayError> {
        let wrong = || GatewayError::Address(text.chars().take(100).collect());
        let authority: Authority = text.parse().map_err(|_| wrong())?;
        if authority.port_u16().is_none() || text.contains('@') {
            return Err(wrong());
        }
        Ok(GatewayAddress { is_tls, authority })
    }

    /// The URI of a path at this gateway.
    pub(super) fn uri(&self, target: &Uri) -> Option<Uri> {
        let scheme = if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        let path = target.path_and_query()?.clone();
        let uri = Uri::builder().scheme(scheme).authority(self.authority.clone());
        uri.path_and_query(path).build().ok()
    }
}

impl ConnectionUse {
    fn begin(connection: &Arc<GatewayConnection>) -> ConnectionUse {
        connection.calls.fetch_add(1, Ordering::Relaxed);
        ConnectionUse(Arc::clone(connection))
    }
}

impl Drop for ConnectionUse {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The innermost cause of an error, whose words say more than hyper's own.
fn innermost(error: &hyper::Error) -> &dyn Error {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        let check = |text: &str, is_tls, expected: Option<&str>| {
            let address = GatewayAddress::parse(text, is_tls).ok();
            let uri = address.and_then(|address| address.uri(&Uri::from_static("/a?b")));
            assert_eq!(uri.map(|uri| uri.to_string()).as_deref(), expected, "{text}");
        };
        check("10.0.0.1:8000", false, Some("http://10.0.0.1:8000/a?b"));
        check("one.example:8000", false, Some("http://one.example:8000/a?b"));
        check("[::1]:8000", true, Some("https://[::1]:8000/a?b"));
        for wrong in ["", "one.example", "http://one.example:8000", "one example:1", "a@b:1"] {
            check(wrong, false, None);
        }
    }
}
