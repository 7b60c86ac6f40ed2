//! `stemwire serve`: runs the server.

mod args;
mod checks;
mod config;
mod decoder_check;
mod model_to_fetch;
mod models;

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::CliError;
use super::output::write;
use super::stop_signals::StopSignals;
use super::{providers, setup};
use crate::cluster::tasks::{
    BoardDispatcher, JetStreamQueue, KnownWorkers, OfferedTasks, TaskBoard, watch_workers,
};
use crate::cluster::{self, Nats, NatsLeases, StoreLocation, announce_models};
use crate::engine::Chain;
use crate::engine::pool::Pool;
use crate::engine::provider::selection::{ModelsToSelect, SelectionOutcome};
use crate::model::{AvailableModels, Model};
use crate::proto::reason::Category;
use crate::separation::{Config, Separations};
use crate::server;
use crate::session::Store;
use crate::session::leases::Leases;
use crate::session::replica::Replica;

pub(super) use args::ServeArgs;

use args::Compute;
use config::ServeConfig;

/// Threads for short work with the disk: a few for each open session.
const DISK_THREADS: usize = 64;

/// Serves until the process is asked to end.
pub(super) fn run(args: &ServeArgs) -> Result<(), CliError> {
    // First everything that can fail at once: measuring providers and loading models may take minutes.
    let mut config = ServeConfig::new(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .build()
        .map_err(|error| {
            CliError::plain(Category::Other, format!("cannot start threads: {error}"))
        })?;
    {
        let _in_runtime = runtime.enter();
        server::catch_hangups(&config.server.credentials);
    }
    let available = models::available_models(&config)?.with_most_members(config.max_ensemble);
    let chain =
        Chain::of(&config.chain, &available)?.with_circuit_breakers(config.circuit_breakers);
    // The other gateways of a cluster get its address with the first session.
    let reserved = config.cluster.is_some().then(|| server::reserve(config.listen)).transpose()?;
    let listen = reserved.as_ref().map_or(config.listen, |reserved| reserved.address());
    let nats = connect(&config)?;
    let store = open_store(&config, nats.as_ref(), listen)?;
    let address = reserved.map_or_else(|| server::reserve(config.listen), Ok)?;
    config.decoder = decoder_check::try_decoder(config.decoder)?;
    config.decoder = decoder_check::try_ffmpeg(config.decoder, config.needs_ffmpeg)?;
    let (separations, tasks) = open_separations(&config, store, nats, available, chain, listen)?;
    let separations = Arc::new(separations);
    config.server.tasks = tasks;
    let scheme = if config.server.credentials.has_tls() { "https" } else { "http" };
    let served = runtime.block_on(async {
        let listener = address.listen()?;
        let address = listener.local_addr().unwrap_or(config.listen);
        // Before others learn that there is a server to stop.
        let stop = StopSignals::catch();
        write(&format!("listening on {scheme}://{address}\n"))?;
        server::serve(listener, Arc::clone(&separations), config.server, stop.next()).await?;
        Ok(())
    });
    // Tasks of connections that were cut may remain; the process need not wait for them.
    runtime.shutdown_background();
    served
}

/// The connection to NATS of a cluster, for its leases and its tasks.
fn connect(config: &ServeConfig) -> Result<Option<Arc<Nats>>, CliError> {
    let without = match (config.compute, &config.store) {
        (Compute::Here, _) => "sessions of this server continue; it takes none over",
        (Compute::Workers, Some(_)) => {
            "workers get no new segments of this server, and it takes no sessions over"
        }
        (Compute::Workers, None) => "workers get no new segments of this server",
    };
    let connect = |location| Nats::connect(location, without).map(Arc::new);
    Ok(config.cluster.as_ref().map(connect).transpose()?)
}

/// Opens and locks the data folder, after the object store and the leases, if there are any.
fn open_store(
    config: &ServeConfig,
    nats: Option<&Arc<Nats>>,
    listen: SocketAddr,
) -> Result<Store, CliError> {
    let data_dir = &config.data_dir;
    let opened = match (&config.store, nats) {
        (None, _) => Store::open(data_dir),
        (Some(location), None) => Store::open_replicated(data_dir, open_replica(location)?),
        (Some(location), Some(nats)) => {
            let replica = open_replica(location)?;
            let leases = open_leases(nats, &*replica)?;
            Store::open_shared(data_dir, replica, leases, config.address_in_cluster(listen))
        }
    };
    opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            let remedy = "Stop the other server, or choose another folder with --data-dir.";
            CliError::new(Category::Disk, error.to_string(), remedy)
        }
        std::io::ErrorKind::InvalidInput => {
            let remedy =
                "Check that the store is mounted, or choose another folder with --data-dir.";
            CliError::new(Category::Disk, error.to_string(), remedy)
        }
        _ => CliError::disk(data_dir, &error),
    })
}

/// Opens an object store, unless it lacks what sessions need.
fn open_replica(location: &StoreLocation) -> Result<Arc<dyn Replica>, CliError> {
    let replica = setup::open_store(location)?;
    cluster::check_exclusive_creation(&replica).map_err(|fault| {
        CliError::new(Category::Disk, format!("{location} cannot be used: {fault}"), fault.remedy())
    })?;
    Ok(Arc::new(replica))
}

/// Opens the leases of the sessions in a store.
fn open_leases(nats: &Arc<Nats>, replica: &dyn Replica) -> Result<Arc<dyn Leases>, CliError> {
    let store = replica.identity().map_err(|error| {
        let remedy = "Check the object store with `stemwire cluster check`.";
        CliError::new(Category::Disk, error.to_string(), remedy)
    })?;
    Ok(Arc::new(NatsLeases::open(Arc::clone(nats), &store)?))
}

/// Starts the engines and continues the sessions of the data folder.
fn open_separations(
    config: &ServeConfig,
    store: Store,
    nats: Option<Arc<Nats>>,
    available: AvailableModels,
    chain: Chain,
    listen: SocketAddr,
) -> Result<(Separations, Option<OfferedTasks>), CliError> {
    let (pool, tasks) = match (config.compute, nats) {
        (Compute::Workers, Some(nats)) => {
            let secret = config.server.gateway.as_ref().and_then(|gateway| gateway.secret.as_ref());
            announce_models(&nats, secret, available.all().iter().map(Arc::as_ref));
            let (pool, tasks) = pool_of_workers(config, nats, listen)?;
            (pool, Some(tasks))
        }
        _ => (pool_of_engines(config, &available, &chain)?, None),
    };
    for fault in chain.unavailable() {
        eprintln!("warning: {} is skipped: {}", fault.name, fault.error);
    }
    let (decoder, limits) = (config.decoder.clone(), config.limits);
    let opened =
        Separations::open(store, pool, Config { models: available, chain, decoder, limits });
    let opened = opened.map_err(|error| CliError::disk(&config.data_dir, &error))?;
    Ok((opened, tasks))
}

/// A pool with the engines of this machine, of which one is warm.
fn pool_of_engines(
    config: &ServeConfig,
    available: &AvailableModels,
    chain: &Chain,
) -> Result<Pool, CliError> {
    let models = models_to_select(available, chain);
    let SelectionOutcome { providers, without_provider } =
        providers::select(&config.engine, config.selection, &models)?;
    let pool = setup::pool(&config.engine, config.selection.engine, providers)?;
    for skipped in without_provider {
        let error = skipped.error.for_model(&skipped.model);
        chain.circuit_breakers().failed_to_start(skipped.model.as_str(), &error);
    }
    warm_up(&pool, chain);
    Ok(pool)
}

/// A pool whose tasks the workers of a cluster compute, and the tasks.
fn pool_of_workers(
    config: &ServeConfig,
    nats: Arc<Nats>,
    listen: SocketAddr,
) -> Result<(Pool, OfferedTasks), CliError> {
    let scheme = if config.server.credentials.has_tls() { "https" } else { "http" };
    let owner = format!("{scheme}://{}", config.address_in_cluster(listen));
    let queue = JetStreamQueue::open(Arc::clone(&nats), owner)?;
    let workers = Arc::new(KnownWorkers::new(config.circuit_breakers));
    let board =
        Arc::new(TaskBoard::new(Box::new(queue), Arc::clone(&workers), TaskBoard::first_epoch()));
    let offering = Arc::downgrade(&board);
    watch_workers(&nats, workers, move || {
        offering.upgrade().iter().for_each(|board| board.workers_changed());
    })?;
    let dispatcher = Box::new(BoardDispatcher::new(Arc::clone(&board)));
    let secret = config.server.gateway.as_ref().and_then(|gateway| gateway.secret.clone());
    Ok((Pool::by(dispatcher), OfferedTasks::new(board, secret)))
}

/// The models that a session may use: those of the chain first.
fn models_to_select(available: &AvailableModels, chain: &Chain) -> ModelsToSelect {
    let in_chain =
        |model: &&Arc<Model>| chain.models().iter().any(|other| Arc::ptr_eq(other, model));
    let others = available.all().iter().filter(|model| !in_chain(model));
    ModelsToSelect { preferred: chain.models().to_vec(), others: others.cloned().collect() }
}

/// Loads the first engine that works, so that faults show at start-up and the first client does not wait. A server
/// without a working engine starts all the same: it reports that and probes the engines.
fn warm_up(pool: &Pool, chain: &Chain) {
    for model in chain.models() {
        let name = model.card().name.as_str();
        if !chain.circuit_breakers().is_closed(name) {
            // It has no provider.
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
    eprintln!("warning: no engine works, so no song can be separated: run `stemwire doctor`");
}
