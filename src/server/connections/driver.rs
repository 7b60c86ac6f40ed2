//! Serves one connection: the TLS handshake, then HTTP/1 or HTTP/2, until it ends or is ordered to.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::connection::Order;
use super::edge::Edge;
use super::socket::Socket;

/// Limit of concurrent streams per connection.
const MAX_STREAMS: u32 = 128;

/// Limit of streams per connection that a client can make the server reset. hyper's default is unlimited, which
/// lets an attacker start and discard work (MadeYouReset).
const MAX_LOCAL_RESETS: usize = 1024;

/// Flow-control windows of a stream and of a connection, in bytes. If both were equal, one stream that is not
/// read would block all others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Limits of the head of an HTTP/1 request and of the unsent bytes of its answer, in bytes.
const HTTP1_BUFFER: usize = 64 << 10;

/// Interval of HTTP/2 pings on a silent connection, and time limit of the reply.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The HTTP/1 and HTTP/2 implementation.
pub(super) type Http = Builder<TokioExecutor>;

/// The HTTP implementation with its limits.
pub(super) fn http() -> Http {
    let mut http = Builder::new(TokioExecutor::new());
    // The watchdog limits the time of the first head. hyper's limit would also close idle connections.
    http.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HTTP1_BUFFER);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    http
}

/// Serves a connection until it ends.
pub(super) async fn drive(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    http: &Http,
    edge: Edge,
    mut stop: watch::Receiver<bool>,
) {
    let connection = Arc::clone(edge.connection());
    // An answer is several small writes: Nagle's algorithm would delay the last until an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let socket = Socket::new(stream, Arc::clone(&connection));
    let Some(tls) = tls else { return serve(socket, http, edge, stop).await };
    let mut orders = connection.orders();
    let handshake = TlsAcceptor::from(tls).accept(socket);
    let secured = tokio::select! {
        secured = handshake => secured,
        _ = next(&mut orders, Order::Serve) => return,
        () = stopped(&mut stop) => return,
    };
    match secured {
        Ok(secured) => serve(secured, http, edge, stop).await,
        Err(error) => tracing::debug!(client = %connection.client(), %error, "no TLS handshake"),
    }
}

/// Serves HTTP until the connection ends.
async fn serve<I>(io: I, http: &Http, edge: Edge, mut stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::clone(edge.connection());
    let mut orders = connection.orders();
    let serving = http.serve_connection(TokioIo::new(io), edge);
    tokio::pin!(serving);
    let (mut followed, mut is_stopping) = (Order::Serve, false);
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(client = %connection.client(), %error, "connection failed");
                }
                return;
            }
            order = next(&mut orders, followed) => {
                if order == Order::Drop {
                    return;
                }
                followed = order;
                serving.as_mut().graceful_shutdown();
            }
            () = stopped(&mut stop), if !is_stopping => {
                is_stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits for an order that goes beyond the one that is followed.
async fn next(orders: &mut watch::Receiver<Order>, followed: Order) -> Order {
    match orders.wait_for(|order| *order > followed).await {
        Ok(order) => *order,
        // The sender lives as long as the connection.
        Err(_) => Order::Drop,
    }
}

/// Waits until the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the accept loop has ended, too.
    let _ = stop.wait_for(|stop| *stop).await;
}
