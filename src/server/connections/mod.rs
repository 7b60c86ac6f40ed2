//! Connections: accepted, limited in number and time, and served.
//!
//! [`serve`] is the accept loop. The [`registry`] counts [`connection`]s, in all and by client; the [`driver`] does the
//! TLS handshake and serves HTTP on a [`socket`]; requests enter through the [`edge`] and are answered with a
//! [`response_body`]. The [`watchdog`] closes connections
//! without requests.

mod connection;
mod driver;
mod edge;
mod limits;
mod registry;
mod response_body;
mod socket;
mod watchdog;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use limits::ConnectionLimits;

pub(super) use connection::client_of;
pub(crate) use connection::{Client, Connection};

use super::credentials::Credentials;
use edge::Edge;
use registry::Registry;

/// Pause after `accept` has failed. The cause, a lack of files or memory, would make the next call fail at once, too.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Serves connections until `stop` is ready, then takes no new ones and returns when all have ended.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: ConnectionLimits,
    credentials: &Credentials,
    stop: impl Future<Output = ()>,
) {
    // Without state, it is made ready once and not for each connection.
    let (routes, http) = (routes.with_state(()), Arc::new(driver::http()));
    let registry = Arc::new(Registry::new(limits));
    tokio::spawn(watchdog::watch(Arc::downgrade(&registry)));
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
        let Some(registration) = registry.admit(address.ip()) else { continue };
        let edge = Edge::new(routes.clone(), Arc::clone(registration.connection()));
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
