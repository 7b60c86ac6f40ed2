//! The server: one port for gRPC (h2c or TLS), grpc-web, plain HTTP and the page.
//!
//! - [`grpc`]: the calls. [`rest`]: plain HTTP. [`web`]: the page. [`convert`]: wire types to domain types and back.
//! - [`middleware`]: access, CORS, request ids, metrics, error details.
//! - [`status`]: the one place where errors become codes. [`lookup`], [`outcome`], [`stem_reader`],
//!   [`uploading`]: shared by gRPC and REST.
//! - [`address`]: the listening socket. [`blocking`]: disk work off the runtime's threads; nothing else here
//!   computes or waits for a disk.

mod address;
mod blocking;
mod config;
mod convert;
mod grpc;
mod lookup;
mod middleware;
mod outcome;
mod rest;
mod status;
mod stem_reader;
mod uploading;
mod web;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_web::GrpcWebLayer;
use tower::ServiceBuilder;

pub use address::{Reserved, reserve};
pub use config::{ServerConfig, Tls};
#[cfg(feature = "fuzzing")]
pub(crate) use rest::fuzzing;

use middleware::auth::Rules;
use middleware::metrics::{CallCounter, Metrics};
use middleware::{auth, cors, grpc_status, metrics, request_id};

use crate::proto::DESCRIPTORS;
use crate::separation::{Observer, Separations};

/// Calls that one connection may have open at once.
const MAX_STREAMS: u32 = 128;

/// Streams that one connection may make the server reset; hyper leaves it without a limit, which an
/// attacker can use to have work begun and thrown away.
const MAX_LOCAL_RESETS: usize = 1024;

/// Bytes under way to the server on one stream, and on one connection: with equal numbers one stream
/// that is not read would block all others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// How often a silent connection is asked whether it is still there, and how long it may take.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system error.
        source: std::io::Error,
    },
    /// The transport fails.
    #[error("the server cannot run: {}", innermost(.0))]
    Transport(#[from] tonic::transport::Error),
    /// Certificate and key are of no use.
    #[error("TLS cannot be served with this certificate and key: {}", innermost(.0))]
    Tls(tonic::transport::Error),
    /// The protocol's own description does not load.
    #[error("reflection cannot be offered: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl ServerError {
    /// What to do about it: one sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            ServerError::Listen { .. } => {
                "Choose another --listen address, or stop the process that uses it."
            }
            ServerError::Tls(_) => "Give a certificate chain and its own key, both as PEM.",
            ServerError::Transport(_) | ServerError::Reflection(_) => "See the log above.",
        }
    }
}

/// What the last cause of an error says; the transport's own text is only that there is one.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Checks what would keep a server of this configuration from running, before it is announced that it
/// does.
///
/// # Errors
/// [`ServerError::Tls`].
pub fn check(config: &ServerConfig) -> Result<(), ServerError> {
    builder(config).map(|_| ())
}

/// The transport with its limits and its certificate.
fn builder(config: &ServerConfig) -> Result<Server, ServerError> {
    let server = Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_RESETS))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
    let Some(tls) = &config.tls else { return Ok(server) };
    let identity = Identity::from_pem(&tls.certificate, &tls.key);
    server.tls_config(ServerTlsConfig::new().identity(identity)).map_err(ServerError::Tls)
}

/// Serves until `shutdown` is ready, then takes nothing new, lets open sessions rest where they are
/// committed, and returns at the latest when the drain time is over.
///
/// # Errors
/// [`ServerError`].
pub async fn serve(
    listener: TcpListener,
    separations: Arc<Separations>,
    config: ServerConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServerError> {
    let (health, health_service) = grpc::health_service::service().await;
    let following = tokio::spawn(health.clone().follow(Arc::clone(&separations)));
    let mut routes = Routes::builder();
    routes.add_service(health_service);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(reflection().build_v1()?);
    routes.add_service(reflection().build_v1alpha()?);
    routes.add_service(grpc::service(Arc::clone(&separations)));
    let numbers = Arc::new(Metrics::new());
    separations.observe(Arc::clone(&numbers) as Arc<dyn Observer>);
    let calls = routes.routes().into_axum_router();
    let calls = calls.layer(from_fn(grpc_status::complete)).layer(GrpcWebLayer::new());
    let routes = rest::router(Arc::clone(&separations), Arc::clone(&numbers));
    let routes = calls.merge(routes).merge(web::routes()).fallback(rest::unknown);

    // Applied to the routes, not around the router: only so the metrics see the route that matched.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(CallCounter::new(numbers), metrics::count))
        .layer(from_fn(request_id::give))
        // Before access is checked: a preflight request carries no token.
        .layer(cors::layer(&config))
        .layer(from_fn(grpc_status::complete))
        .layer(from_fn_with_state(Arc::new(Rules::of(&config)), auth::check));
    let routes = routes.layer(layers);
    let mut server = builder(&config)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // An answer is several small writes: without this the last would wait for the client's acknowledgement.
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving =
        server.add_routes(Routes::from(routes)).serve_with_incoming_shutdown(connections, async {
            // The sender is dropped only with this function.
            let _ = stopped.await;
        });
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return Ok(result?),
        () = shutdown => {}
    }
    tracing::info!("shutting down: open sessions rest and go on with the next server");
    let deadline = Instant::now() + config.drain;
    following.abort();
    health.not_serving().await;
    // It waits for the connections, which end when their streams do.
    let _ = stop.send(());
    let closing = Arc::clone(&separations);
    let rested = blocking::run(move || closing.close(deadline));
    let drain = tokio::time::timeout(config.drain, async { tokio::join!(rested, &mut serving) });
    if drain.await.is_err() {
        // A connection that says nothing would keep it for ever.
        tracing::warn!("the drain time is over; connections that are still open are cut");
    }
    Ok(())
}
