//! `stemwire serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{FailureArgs, LimitArgs, Serve};
use super::error::CliError;
use super::providers::{self, SelectionLimits};
use super::runtime::write;
use super::setup;
use crate::engine::Chain;
use crate::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use crate::engine::limits::TimeLimits;
use crate::engine::pool::Pool;
use crate::engine::provider::selection::{ModelsToSelect, SelectionOutcome};
use crate::model::{Catalog, Model};
use crate::proto::reason::Category;
use crate::separation::{Config, DecoderConfig, Limits, Separations};
use crate::server::{self, ServerConfig, Tls};
use crate::session::Store;
use crate::session::retention::Retention;

/// Threads for short work with the disk: a few for each session that may be open.
const DISK_THREADS: usize = 64;

/// Serves until the process is asked to end.
pub(super) fn run(arguments: &Serve) -> Result<(), CliError> {
    // What can be refused at once comes first: to install, try and load what computes may take minutes.
    let config = server_config(arguments)?;
    server::check(&config)?;
    let ground = Ground::prepare(arguments)?;
    let address = server::reserve(arguments.listen)?;
    let separations = Arc::new(ground.separations(arguments)?);
    let async_runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .build()
        .map_err(|error| CliError::plain(Category::Other, format!("no threads: {error}")))?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let served = async_runtime.block_on(async {
        let listener = address.listen()?;
        let address = listener.local_addr().unwrap_or(arguments.listen);
        write(&format!("listening on {scheme}://{address}\n"))?;
        server::serve(listener, Arc::clone(&separations), config, asked_to_end()).await?;
        Ok(())
    });
    // A connection that was cut may still have a task; the process need not wait for it.
    async_runtime.shutdown_background();
    served
}

/// What sessions need beside engines. The data folder is locked.
struct Ground {
    data_dir: PathBuf,
    store: Store,
    catalog: Catalog,
    chain: Chain,
    decoder: DecoderConfig,
}

impl Ground {
    fn prepare(arguments: &Serve) -> Result<Ground, CliError> {
        let data_dir =
            arguments.data_dir.clone().or_else(setup::default_data_dir).ok_or_else(|| {
                let cause = "this system names no data folder";
                CliError::new(Category::Usage, cause, "name one with --data-dir DIR")
            })?;
        let catalog = setup::catalog(arguments.engine.models_dir.as_deref());
        let chain = Chain::of(&arguments.engines, &catalog)?
            .with_circuit_breakers(breakers(&arguments.failure));
        let mut decoder = DecoderConfig::from_here().map_err(|error| {
            CliError::plain(Category::Other, format!("this binary's path is not known: {error}"))
        })?;
        decoder.memory = arguments.limits.decoder_memory.as_u64();
        decoder.processor_time = arguments.limits.decoder_time;
        decoder.stall = arguments.limits.decoder_stall;
        let store = open_store(&data_dir)?;
        Ok(Ground { data_dir, store, catalog, chain, decoder })
    }

    /// Adds the engines, and takes up the sessions of the server before.
    fn separations(self, arguments: &Serve) -> Result<Separations, CliError> {
        let Ground { data_dir, store, catalog, chain, decoder } = self;
        let time_limits = time_limits(&arguments.failure);
        let limits = SelectionLimits { engine: time_limits, autotune: arguments.autotune_time() };
        let SelectionOutcome { providers, without_provider } =
            providers::select(&arguments.engine, limits, &models_to_select(&catalog, &chain))?;
        let pool = setup::pool(&arguments.engine, time_limits, providers)?;
        for skipped in without_provider {
            let error = skipped.error.for_model(&skipped.model);
            chain.circuit_breakers().failed_to_start(skipped.model.as_str(), &error);
        }
        warm_up(&pool, &chain);
        let config =
            Config { catalog, chain, decoder, limits: separation_limits(&arguments.limits) };
        Separations::open(store, pool, config).map_err(|error| CliError::disk(&data_dir, &error))
    }
}

/// The models that a session may use: those of the chain first.
fn models_to_select(catalog: &Catalog, chain: &Chain) -> ModelsToSelect {
    let in_chain =
        |model: &&Arc<Model>| chain.models().iter().any(|other| Arc::ptr_eq(other, model));
    let others = catalog.models().iter().filter(|model| !in_chain(model));
    ModelsToSelect { preferred: chain.models().to_vec(), others: others.cloned().collect() }
}

/// Readies the first engine that works: faults show now, and the first client does not wait. A server
/// without any starts all the same; it says so, and tries them again.
fn warm_up(pool: &Pool, chain: &Chain) {
    for fault in chain.unavailable() {
        eprintln!("warning: {} is skipped: {}", fault.name, fault.error);
    }
    for model in chain.models() {
        let name = model.card().name.as_str();
        if !chain.circuit_breakers().is_closed(name) {
            // Nothing here computes it.
            continue;
        }
        match pool.warm_up(model) {
            Ok(time) => {
                tracing::info!(model = name, seconds = time.as_secs_f64(), "ready");
                return;
            }
            Err(error) => {
                eprintln!("warning: {error}");
                chain.circuit_breakers().failed_to_start(name, &error);
            }
        }
    }
    eprintln!("warning: no engine works, so no song is taken; see `stemwire doctor`");
}

fn open_store(data_dir: &Path) -> Result<Store, CliError> {
    Store::open(data_dir).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            let remedy = "end the other server, or take another folder with --data-dir DIR";
            CliError::new(Category::Disk, error.to_string(), remedy)
        }
        _ => CliError::disk(data_dir, &error),
    })
}

fn breakers(arguments: &FailureArgs) -> CircuitBreakerConfig {
    CircuitBreakerConfig { failures: arguments.engine_failures, probe: arguments.engine_probe }
}

fn time_limits(arguments: &FailureArgs) -> TimeLimits {
    TimeLimits {
        factor: arguments.engine_time_factor,
        minimum: arguments.engine_least_time,
        load: arguments.engine_load_time,
        ..TimeLimits::default()
    }
}

fn separation_limits(arguments: &LimitArgs) -> Limits {
    Limits {
        upload_bytes: arguments.max_upload.as_u64(),
        track: arguments.max_track,
        open_sessions: arguments.max_open,
        queued_sessions: arguments.max_queued,
        idle_upload: arguments.idle_upload,
        resume_window: arguments.resume_window,
        retention: Retention { age: arguments.keep, bytes: arguments.max_stored.as_u64() },
        free_bytes: arguments.min_free.as_u64(),
    }
}

fn server_config(arguments: &Serve) -> Result<ServerConfig, CliError> {
    check_exposure(arguments.listen, arguments.token.as_deref(), arguments.insecure)?;
    check_names(&arguments.allow_host, &arguments.allow_origin)?;
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: setup::pem(certificate, "CERTIFICATE")?,
            key: setup::pem(key, "PRIVATE KEY")?,
        }),
        _ => None,
    };
    Ok(ServerConfig {
        token: arguments.token.clone(),
        hosts: arguments.allow_host.clone(),
        origins: arguments.allow_origin.clone(),
        tls,
        drain: arguments.limits.drain,
    })
}

/// Refuses to serve other machines unguarded by accident.
fn check_exposure(listen: SocketAddr, token: Option<&str>, insecure: bool) -> Result<(), CliError> {
    if token.is_some_and(|token| token.len() < 16) {
        let cause = "the token is shorter than 16 characters and could be guessed";
        return Err(CliError::new(Category::Usage, cause, "take a longer one"));
    }
    if listen.ip().is_loopback() || token.is_some() || insecure {
        return Ok(());
    }
    let cause = format!("{listen} can be reached by other machines");
    let remedy = "set a token with --token, or say --insecure if everybody there may use it";
    Err(CliError::new(Category::Usage, cause, remedy))
}

/// Refuses what no call could ever match. Empty ones are those of a variable that is set to nothing.
fn check_names(hosts: &[String], origins: &[String]) -> Result<(), CliError> {
    let odd =
        |text: &str, signs: &[char]| text.contains(signs) || text.contains(char::is_whitespace);
    if let Some(host) = hosts.iter().find(|host| odd(host, &['/', ':'])) {
        let cause = format!("{host:?} is no host name");
        let remedy =
            "write --allow-host as a name alone, such as music.example: it holds for every port";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    let is_origin = |origin: &str| match origin.split_once("://") {
        Some((scheme, place)) => {
            !scheme.is_empty() && !place.is_empty() && !odd(place, &['/', '?', '#'])
        }
        // What pages from files have.
        None => origin.is_empty() || origin == "null",
    };
    if let Some(origin) = origins.iter().find(|origin| !is_origin(origin)) {
        let cause = format!("{origin:?} is no origin of web pages");
        let remedy =
            "write --allow-origin as https://HOST or https://HOST:PORT, with nothing behind it";
        return Err(CliError::new(Category::Usage, cause, remedy));
    }
    Ok(())
}

/// Ready when the process is asked to end, by a signal or by Ctrl-C.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals only a kill ends it, which loses nothing either.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, token: Option<&str>, insecure: bool, allowed: bool) {
        let checked = check_exposure(listen.parse().unwrap(), token, insecure);
        assert_eq!(checked.is_ok(), allowed, "{checked:?}");
    }

    #[test]
    fn other_machines_need_a_token_or_a_word() {
        check("127.0.0.1:8000", None, false, true);
        check("[::1]:8000", None, false, true);
        check("0.0.0.0:8000", None, false, false);
        check("192.168.1.2:8000", None, false, false);
        check("0.0.0.0:8000", None, true, true);
        check("0.0.0.0:8000", Some("0123456789abcdef"), false, true);
        check("127.0.0.1:8000", Some("short"), false, false);
    }
}
