//! The configuration of `stemwire serve`, from its arguments.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Compute, ConnectionArgs, FailureArgs, LimitArgs, ServeArgs};
use super::checks::{
    check_cluster_address, check_exposure, check_hosts, check_origins, checked_compute,
};
use super::model_to_fetch::ModelToFetch;
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::cli::providers::SelectionLimits;
use crate::cli::setup;
use crate::cluster::{NatsLocation, StoreLocation};
use crate::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use crate::engine::limits::TimeLimits;
use crate::process::open_files;
use crate::proto::reason::Category;
use crate::separation::{DecoderConfig, Limits};
use crate::server::{
    ConnectionLimits, CredentialSources, Credentials, GatewayConfig, MemoryLimits, ServerConfig,
    TlsFiles,
};
use crate::session::retention::Retention;

/// The checked arguments.
pub(super) struct ServeConfig {
    pub(super) listen: SocketAddr,
    pub(super) server: ServerConfig,
    pub(super) data_dir: PathBuf,
    /// The object store of the sessions.
    pub(super) store: Option<StoreLocation>,
    /// The servers of the cluster's leases.
    pub(super) cluster: Option<NatsLocation>,
    /// `HOST:PORT` at which the other gateways of the cluster reach this one, unless it is that of `listen`.
    pub(super) cluster_address: Option<String>,
    /// What computes.
    pub(super) compute: Compute,
    /// Models that are fetched from the object store.
    pub(super) fetch_models: Vec<ModelToFetch>,
    /// Names of the models of the fallback chain; empty for the default chain.
    pub(super) chain: Vec<String>,
    /// Most models of an ensemble.
    pub(super) max_ensemble: usize,
    pub(super) circuit_breakers: CircuitBreakerConfig,
    pub(super) engine: EngineArgs,
    pub(super) selection: SelectionLimits,
    pub(super) limits: Limits,
    pub(super) decoder: DecoderConfig,
    /// Whether its FFmpeg must work.
    pub(super) needs_ffmpeg: bool,
}

impl ServeConfig {
    /// `HOST:PORT` at which others of the cluster reach a server that listens on `listen`.
    pub(super) fn address_in_cluster(&self, listen: SocketAddr) -> String {
        self.cluster_address.clone().unwrap_or_else(|| listen.to_string())
    }

    /// Checks and converts the arguments.
    ///
    /// # Errors
    /// An argument is invalid, a file that it names cannot be read, or the system lacks a default.
    pub(super) fn new(args: &ServeArgs) -> Result<ServeConfig, CliError> {
        let server = server_config(args)?;
        let data_dir = match &args.data_dir {
            Some(folder) => folder.clone(),
            None => setup::default_data_dir().ok_or_else(|| {
                let cause = "the system has no folder for user data";
                CliError::new(Category::Usage, cause, "Name a folder with --data-dir.")
            })?,
        };
        Ok(ServeConfig {
            listen: args.listen,
            server,
            data_dir,
            store: args.store.as_deref().map(str::parse).transpose()?,
            cluster: args.cluster.as_deref().map(str::parse).transpose()?,
            cluster_address: check_cluster_address(args)?.map(str::to_owned),
            compute: checked_compute(args)?,
            fetch_models: args.fetch_models.clone(),
            chain: args.engines.clone(),
            max_ensemble: args.limits.max_ensemble,
            circuit_breakers: circuit_breakers(&args.failure),
            engine: args.engine.clone(),
            selection: SelectionLimits {
                engine: time_limits(&args.failure),
                autotune: args.autotune_time(),
            },
            limits: limits(&args.limits),
            decoder: decoder(args)?,
            needs_ffmpeg: args.ffmpeg.is_named(),
        })
    }
}

fn circuit_breakers(args: &FailureArgs) -> CircuitBreakerConfig {
    CircuitBreakerConfig { failures: args.engine_failures, probe: args.engine_probe }
}

fn time_limits(args: &FailureArgs) -> TimeLimits {
    TimeLimits {
        factor: args.engine_time_factor,
        minimum: args.engine_least_time,
        load: args.engine_load_time,
        ..TimeLimits::default()
    }
}

fn limits(args: &LimitArgs) -> Limits {
    Limits {
        upload_bytes: args.max_upload.as_u64(),
        track: args.max_track,
        expansion: args.max_expansion,
        slots: args.max_open,
        queued_sessions: args.max_queued,
        client_sessions: args.max_client_sessions,
        parked_sessions: args.max_parked,
        backlog: args.max_backlog,
        idle_upload: args.idle_upload,
        upload_bytes_per_s: args.min_upload_rate.as_u64(),
        resume_window: args.resume_window,
        retention: Retention { age: args.keep, bytes: args.max_stored.as_u64() },
        cache_bytes: args.max_cache.map(|size| size.as_u64()),
        free_bytes: args.min_free.as_u64(),
    }
}

fn decoder(args: &ServeArgs) -> Result<DecoderConfig, CliError> {
    let config = DecoderConfig::from_here().map_err(|error| {
        let cause = format!("the path of this binary is unknown: {error}");
        CliError::plain(Category::Other, cause)
    })?;
    Ok(DecoderConfig {
        memory: args.limits.decoder_memory.as_u64(),
        processor_time: args.limits.decoder_time,
        stall: args.limits.decoder_stall,
        require_sandbox: args.require_sandbox,
        ffmpeg: args.ffmpeg.find()?,
        ..config
    })
}

fn server_config(args: &ServeArgs) -> Result<ServerConfig, CliError> {
    let credentials = Credentials::read(&credential_sources(args)?)?;
    check_exposure(args.listen, credentials.has_tokens(), args.insecure)?;
    check_hosts(&args.allow_host)?;
    check_origins(&args.allow_origin)?;
    Ok(ServerConfig {
        credentials: Arc::new(credentials),
        hosts: args.allow_host.clone(),
        origins: args.allow_origin.clone(),
        max_guesses: args.max_guesses,
        connections: connection_limits(&args.connections),
        trusted_proxies: args.connections.trusted_proxies.clone().unwrap_or_default(),
        memory: MemoryLimits {
            received_bytes: args.connections.receive_memory.as_u64(),
            unsent_bytes: args.connections.send_memory.as_u64(),
        },
        max_encoders: args.limits.max_encoders,
        drain: args.limits.drain,
        tasks: None,
        gateway: gateway(args)?,
    })
}

/// What the server needs beside the other gateways of its cluster, if it is one.
fn gateway(args: &ServeArgs) -> Result<Option<GatewayConfig>, CliError> {
    if args.cluster.is_none() {
        return Ok(None);
    }
    let listen = args.listen.to_string();
    let name = check_cluster_address(args)?.map_or_else(|| listen.clone(), str::to_owned);
    let secret = args.cluster_secret.read(&[listen, name.clone()])?;
    Ok(Some(GatewayConfig { name, secret }))
}

fn credential_sources(args: &ServeArgs) -> Result<CredentialSources, CliError> {
    if args.token.is_some() && args.token_file.is_some() {
        let cause = "there are both --token and --token-file, or the variables STEMWIRE_TOKEN and STEMWIRE_TOKEN_FILE";
        let remedy = "Write all tokens into the file, and give no other.";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    Ok(CredentialSources {
        token: args.token.clone(),
        token_file: args.token_file.clone(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
    })
}

/// The limits, as far as the system's limit of open files allows, which is raised first.
fn connection_limits(args: &ConnectionArgs) -> ConnectionLimits {
    let limits = ConnectionLimits {
        total: args.max_connections,
        per_client: args.max_client_connections,
        head: args.head_time,
        idle: args.idle_connection,
        calls: args.max_calls,
        unread: args.unread_answer,
    };
    let Some(open_files) = open_files::raise_limit() else { return limits };
    let within = limits.within(open_files);
    if within.total < limits.total {
        tracing::warn!(
            open_files,
            connections = within.total,
            "the system's limit of open files allows fewer connections than --max-connections"
        );
    }
    within
}
