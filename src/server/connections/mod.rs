//! Connections: accepted, limited in number and time, and served.
//!
//! [`serve`] is the accept loop. The [`registry`] counts [`connection`]s, in all and by client; the [`driver`] does the
//! TLS handshake and serves HTTP on a [`socket`]; requests enter through the [`edge`], with the client that one of the
//! [`trusted_proxies`] names, are [`open_call`]s, and are answered with a [`response_body`]. The [`watchdog`] closes connections without requests and cuts answers that are not read.

mod connection;
mod driver;
mod edge;
mod limits;
mod open_call;
mod registry;
mod response_body;
mod socket;
mod trusted_proxies;
mod watchdog;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use limits::ConnectionLimits;
pub use trusted_proxies::TrustedProxies;

pub(super) use connection::client_of;
pub(crate) use connection::{Client, Connection};
pub(super) use edge::Overload;

use super::credentials::Credentials;
use edge::{Edge, EdgeContext};
use registry::Registry;

use crate::server::forward_headers::HopRules;
use crate::server::memory_budget::Budget;

/// Pause after `accept` has failed. The cause, a lack of files or memory, would make the next call fail at once, too.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How connections are served.
pub(super) struct HttpService {
    pub(super) routes: Router,
    pub(super) limits: ConnectionLimits,
    /// Proxies that name the clients of their requests.
    pub(super) proxies: TrustedProxies,
    /// How calls of other gateways are recognised; `None` for a server that is alone.
    pub(super) hops: Option<HopRules>,
    /// Memory for bytes of answers that have not been sent.
    pub(super) unsent: Arc<Budget>,
    /// Whether answers of a path cost no memory: anybody may have them.
    pub(super) is_public: fn(&str) -> bool,
    /// Memory for what is read from disk before it can be sent.
    pub(super) read_ahead: Arc<Budget>,
    /// The trailers of a gRPC answer that is cut because its client does not read.
    pub(super) cut_trailers: HeaderMap,
}

/// Serves connections until `stop` is ready, then takes no new ones and returns when all have ended.
pub(super) async fn serve(
    listener: TcpListener,
    service: HttpService,
    credentials: &Credentials,
    stop: impl Future<Output = ()>,
) {
    let HttpService { routes, limits, proxies, hops, unsent, is_public, read_ahead, cut_trailers } =
        service;
    let registry = Arc::new(Registry::new(limits));
    // Without state, the routes are prepared once and not for each connection.
    let (routes, cut_trailers) = (routes.with_state(()), Arc::new(cut_trailers));
    let registry_of_all = Arc::clone(&registry);
    let shared = EdgeContext {
        routes,
        registry: registry_of_all,
        proxies,
        hops,
        unsent,
        is_public,
        cut_trailers,
    };
    let (shared, http) = (Arc::new(shared), Arc::new(driver::http()));
    tokio::spawn(watchdog::watch(Arc::downgrade(&shared), read_ahead));
    let (stopping, stopped) = watch::channel(false);
    tokio::pin!(stop);
    let mut is_exhausted = false;
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => {
                is_exhausted = false;
                accepted
            }
            Err(error) if is_of_one_client(&error) => continue,
            Err(error) => {
                if !is_exhausted {
                    tracing::warn!(%error, "cannot accept connections; closing idle ones");
                    is_exhausted = true;
                }
                registry.make_way();
                tokio::select! {
                    () = &mut stop => break,
                    () = tokio::time::sleep(BACK_OFF) => continue,
                }
            }
        };
        let (address, is_proxy) = (address.ip(), shared.proxies.trusts(address.ip()));
        let Some(registration) = registry.admit(address, is_proxy) else { continue };
        let edge = Edge::new(Arc::clone(&shared), Arc::clone(registration.connection()));
        let (http, tls) = (Arc::clone(&http), credentials.handshake_config());
        let stopped = stopped.clone();
        tokio::spawn(async move {
            driver::drive(stream, tls, &http, edge, stopped).await;
            drop(registration);
        });
    }
    drop(listener);
    drop(stopped);
    // Without receivers, no connection is left.
    let _ = stopping.send(true);
    stopping.closed().await;
}

/// Whether accepting failed because a client has left already.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted)
}
