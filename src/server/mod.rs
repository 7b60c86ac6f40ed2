//! The server: one port for gRPC (h2c or TLS), grpc-web, plain HTTP and the page.
//!
//! - [`grpc`]: gRPC calls. [`rest`]: plain HTTP. [`web`]: the page. [`convert`]: wire types to domain types and
//!   back.
//! - [`middleware`]: access, CORS, request ids, metrics, error details.
//! - [`status`]: maps errors to gRPC and HTTP statuses. [`lookup`], [`outcome`], [`uploading`],
//!   [`deadline`], [`request_id`], [`path_prefix`]: shared by several of these.
//! - [`forward`]: calls on sessions that another gateway has; [`forward_headers`]: what they carry.
//! - [`credentials`]: tokens and certificate, [`reload`]ed when their files change.
//! - [`address`]: the listening socket. [`connections`]: accepts, limits and serves connections. [`blocking`]: runs
//!   disk work outside the runtime's threads; no other module here computes or blocks.

mod address;
mod blocking;
mod config;
mod connections;
mod convert;
mod credentials;
mod deadline;
mod forward;
mod forward_headers;
mod grpc;
mod least_rate;
mod listing;
mod lookup;
mod memory_budget;
mod middleware;
mod outcome;
mod path_prefix;
mod refusal_log;
mod reload;
mod request_id;
mod rest;
mod status;
mod uploading;
mod web;
mod worker_status;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::ServiceBuilder;

pub use address::{Reserved, reserve};
pub use config::{GatewayConfig, MemoryLimits, ServerConfig};
pub use connections::{ConnectionLimits, TrustedProxies};
pub use credentials::{
    CredentialError, CredentialSources, Credentials, TlsError, TlsFiles, TokenFault,
};
pub(crate) use credentials::{can_others_read, read_pem, read_token};
pub use reload::catch_hangups;
#[cfg(feature = "fuzzing")]
pub(crate) use rest::fuzzing;
pub use worker_status::{WorkerState, serve_worker_status};

use middleware::auth::Rules;
use middleware::cors::Cors;
use middleware::messages::{self, MAX_CHUNK_MESSAGE_BYTES, MessageLimits};
use middleware::metrics::{CallCounter, Metrics};
use middleware::{admission, auth, cors, grpc_deadline, grpc_status, media_type, metrics};

use forward::Forwarder;
use forward_headers::HopRules;
use least_rate::LeastRate;
use memory_budget::Budget;
use status::{ApiError, to_status};

use crate::proto::DESCRIPTORS;
use crate::separation::Separations;

/// Error of starting or running the server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system error.
        source: std::io::Error,
    },
    /// The protocol's own description does not load.
    #[error("reflection cannot be offered: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl ServerError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            ServerError::Listen { .. } => {
                "Choose another --listen address, or stop the process that uses it."
            }
            ServerError::Reflection(_) => "See the log above.",
        }
    }
}

/// Memory of all calls together.
#[derive(Debug, Clone)]
struct Memory {
    /// For messages that have not arrived completely or have not been processed.
    received: Arc<Budget>,
    /// For what is read from disk before it can be sent.
    read_ahead: Arc<Budget>,
    /// For answers that have not been sent.
    unsent: Arc<Budget>,
}

impl Memory {
    fn new(config: &ServerConfig) -> Memory {
        let budget = |bytes| Arc::new(Budget::new(bytes));
        let MemoryLimits { received_bytes, unsent_bytes } = config.memory;
        // Two budgets: if one answer could take all memory to read ahead, none could be sent.
        Memory {
            received: budget(received_bytes),
            read_ahead: budget(unsent_bytes / 2),
            unsent: budget(unsent_bytes / 2),
        }
    }
}

/// Serves until `shutdown` completes. Then refuses new work, suspends open sessions at their last commit, and
/// returns once connections have closed or the drain time is over.
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
    let memory = Memory::new(&config);
    let forwarder = config.gateway.as_ref().map(|gateway| forwarder(gateway, &config, &memory));
    let (all, read_ahead) = (Arc::clone(&separations), Arc::clone(&memory.read_ahead));
    routes.add_service(grpc::service(all, read_ahead, forwarder.clone()));
    if let Some(tasks) = &config.tasks {
        routes.add_service(tasks.service().max_decoding_message_size(MAX_CHUNK_MESSAGE_BYTES));
    }
    let numbers = Metrics::of(&separations, forwarder.as_deref().map(Forwarder::metrics));
    let mut calls = routes.routes().into_axum_router();
    if let Some(forwarder) = &forwarder {
        // Innermost: what it forwards is within the limits of messages, and gRPC also where it was grpc-web.
        calls = calls.layer(from_fn_with_state(Arc::clone(forwarder), forward::calls::forward));
    }
    let messages = MessageLimits {
        memory: Arc::clone(&memory.received),
        least_rate: LeastRate {
            bytes_per_s: separations.limits().upload_bytes_per_s,
            window: config.connections.head,
        },
    };
    let calls = calls
        .layer(from_fn_with_state(messages, messages::limit))
        .layer(from_fn(grpc_deadline::enforce))
        .layer(from_fn(grpc_status::complete))
        .layer(GrpcWebLayer::new())
        .layer(from_fn(media_type::check));
    let max_encoders = config.max_encoders;
    let (of_rest, numbers_of_rest) = (Arc::clone(&separations), Arc::clone(&numbers));
    let forwarding = forwarder.clone();
    let routes = rest::router(of_rest, numbers_of_rest, memory.clone(), max_encoders, forwarding);
    let routes = calls.merge(routes).merge(web::routes()).fallback(rest::unknown);

    let rules = Arc::new(Rules::of(&config, Arc::clone(&numbers)));
    // Layers of the routes, not of the router: only there the matched route is known to the metrics.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(CallCounter::new(Arc::clone(&numbers)), metrics::count))
        .layer(from_fn(middleware::request_id::give))
        .layer(from_fn(middleware::trace::follow))
        .layer(from_fn(rest::complete_tus))
        // Before authentication: a preflight request carries no token.
        .layer(from_fn_with_state(Cors::of(&config, rest::has_options), cors::answer))
        .layer(from_fn(grpc_status::complete))
        .layer(from_fn(admission::check))
        .layer(from_fn_with_state(rules, auth::check));
    let routes = routes.layer(layers);
    let reloading = tokio::spawn(reload::follow(Arc::clone(&config.credentials), numbers));
    let mut cut_trailers = HeaderMap::new();
    // It is plain ASCII.
    let _ = to_status(ApiError::ReaderTooSlow).add_header(&mut cut_trailers);
    let service = connections::HttpService {
        routes,
        limits: config.connections,
        proxies: config.trusted_proxies,
        hops: config.gateway.map(|gateway| HopRules::new(gateway.secret)),
        unsent: memory.unsent,
        is_public: auth::is_public,
        read_ahead: memory.read_ahead,
        cut_trailers,
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async {
        // The sender lives until this function returns.
        let _ = stopped.await;
    };
    let serving = connections::serve(listener, service, &config.credentials, stopped);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = shutdown => {}
    }
    tracing::info!("shutting down; open sessions are suspended and continue with the next server");
    let deadline = Instant::now() + config.drain;
    following.abort();
    reloading.abort();
    forwarder.iter().for_each(|forwarder| forwarder.stop());
    health.not_serving().await;
    // Resolves once all connections have closed.
    let _ = stop.send(());
    let closing = Arc::clone(&separations);
    let closed = blocking::run(move || closing.close(deadline));
    let drain = tokio::time::timeout(config.drain, async { tokio::join!(closed, &mut serving) });
    if drain.await.is_err() {
        // A silent connection would never close by itself.
        tracing::warn!("the drain time is over; closing the remaining connections");
    }
    Ok(())
}

fn forwarder(gateway: &GatewayConfig, config: &ServerConfig, memory: &Memory) -> Arc<Forwarder> {
    let hops = HopRules::new(gateway.secret.clone());
    let memory = Arc::clone(&memory.read_ahead);
    Arc::new(Forwarder::new(gateway.name.clone(), hops, &config.credentials, memory))
}
