//! `stemwire worker`: computes segments for the servers of a cluster.

mod fetching;

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clap::Args;
use tokio::sync::{oneshot, watch};

use super::cluster_secret::ClusterSecretArgs;
use super::engine_args::EngineArgs;
use super::error::CliError;
use super::otlp::OtlpArgs;
use super::output::write;
use super::providers::{self, SelectionLimits};
use super::setup;
use super::stop_signals::StopSignals;
use crate::cluster::tasks::{ClusterWorker, Presence, WorkerAnnouncement, pull_tasks};
use crate::cluster::{ClusterSecret, FetchProgress, Nats, NatsLocation};
use crate::engine::provider::selection::{ModelsToSelect, SelectionOutcome};
use crate::proto::reason::Category;
use crate::server::{WorkerState, serve_worker_status};
use fetching::Fetching;

#[derive(Debug, Clone, Args)]
pub(super) struct WorkerArgs {
    /// NATS servers of the cluster, such as nats://10.0.0.1:4222,nats://10.0.0.2:4222
    #[arg(long, value_name = "URL,URL", hide_env_values = true, env = "STEMWIRE_CLUSTER")]
    cluster: String,
    /// Object store with the files of models, a folder or bucket: file:///mnt/stemwire, s3://…, gs://…, az://…: models of the gateways that are not installed are fetched from it, verified and installed
    #[arg(long, value_name = "URL", env = "STEMWIRE_STORE")]
    store: Option<String>,
    /// Name of this worker in the logs of gateways, unique in the cluster [default: HOST-PROCESS]
    #[arg(long, value_name = "NAME", env = "STEMWIRE_WORKER_NAME")]
    name: Option<String>,
    /// Address of /health and /metrics, which need no token [default: none]
    #[arg(long, value_name = "ADDRESS", env = "STEMWIRE_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    secret: ClusterSecretArgs,
    #[command(flatten)]
    pub(super) otlp: OtlpArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What the log says while NATS is away.
const WITHOUT_NATS: &str = "this worker delivers the segments that it has, and gets no others";

/// The worker while it computes; none while it starts, or starts again with other models.
type CurrentWorker = Arc<Mutex<Option<Arc<ClusterWorker>>>>;

/// Computes until the process is asked to end.
pub(super) fn run(args: &WorkerArgs) -> Result<(), CliError> {
    let location: NatsLocation = args.cluster.parse()?;
    // No other machine calls a worker, but the models that it computes with are announced in NATS.
    let trusted = if args.store.is_some() { location.addresses() } else { Vec::new() };
    let secret = args.secret.read(&trusted)?;
    let nats = Arc::new(Nats::connect(&location, WITHOUT_NATS)?);
    let fetching = Fetching::prepare(args, &nats, secret.as_ref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| cannot_start_threads(&error))?;
    runtime.block_on(compute(args, nats, secret, fetching))
}

async fn compute(
    args: &WorkerArgs,
    nats: Arc<Nats>,
    secret: Option<ClusterSecret>,
    fetching: Option<Fetching>,
) -> Result<(), CliError> {
    let name = args.name.clone().unwrap_or_else(default_name);
    // Before others learn that there is a worker to stop.
    let mut stop_signal = pin!(StopSignals::catch().next());
    let current = CurrentWorker::default();
    let progress = fetching.as_ref().map(Fetching::progress).unwrap_or_default();
    if let Some(address) = args.metrics_listen {
        serve_status(address, &current, progress.clone(), &nats).await?;
    }
    let mut fetched = fetching.map(Fetching::begin).transpose()?;
    if let Some(fetched) = &mut fetched {
        tokio::select! {
            () = fetched.more() => {}
            () = &mut stop_signal => return Ok(()),
        }
    }
    let mut presence: Option<Presence> = None;
    loop {
        let (own_args, own_name, secret) = (args.clone(), name.clone(), secret.clone());
        let started = in_thread(move || start(&own_args, own_name, secret.as_ref()));
        let worker = tokio::select! {
            started = started => started??,
            () = &mut stop_signal => break,
        };
        *lock(&current) = Some(Arc::clone(&worker));
        let lanes = worker.lanes();
        match presence.take() {
            None => write(&format!("worker {name} computes {lanes} segments at a time\n"))?,
            Some(before) => before.pause().await,
        }
        let announcement = WorkerAnnouncement::new(&name, lanes, &worker.engines());
        let progress = progress.clone();
        let announced = move || announcement.lacking(&progress.status().missing);
        presence = Some(Presence::begin(&nats, announced));
        let (stop, stopped) = watch::channel(false);
        let mut pulling = pin!(pull_tasks(&nats, worker, stopped));
        let more_models = async {
            match &mut fetched {
                Some(fetched) => fetched.more().await,
                None => pending().await,
            }
        };
        let is_stopped = tokio::select! {
            () = &mut pulling => break,
            () = &mut stop_signal => true,
            () = more_models => false,
        };
        let then = if is_stopped { "stopping" } else { "starting again with more models" };
        tracing::info!("{then} once the segments that are being computed are delivered");
        // The receivers live as long as `pulling`.
        let _ = stop.send(true);
        pulling.await;
        if is_stopped {
            break;
        }
        *lock(&current) = None;
    }
    if let Some(presence) = presence {
        presence.end().await;
    }
    Ok(())
}

/// Loads the models that are installed, each with the provider that is selected for it.
fn start(
    args: &WorkerArgs,
    name: String,
    secret: Option<&ClusterSecret>,
) -> Result<Arc<ClusterWorker>, CliError> {
    let available = setup::available_models(args.engine.models_dir.as_deref());
    let limits = SelectionLimits::default();
    let models = ModelsToSelect { preferred: available.all().to_vec(), others: Vec::new() };
    let SelectionOutcome { providers, without_provider } =
        providers::select(&args.engine, limits, &models)?;
    for skipped in &without_provider {
        eprintln!("warning: {}", skipped.error.for_model(&skipped.model));
    }
    let pool = setup::pool(&args.engine, limits.engine, providers)?;
    let usable: Vec<_> = available
        .all()
        .iter()
        .filter(|model| without_provider.iter().all(|skipped| skipped.model != model.card().name))
        .cloned()
        .collect();
    Ok(Arc::new(ClusterWorker::new(name, pool, usable, secret)))
}

/// Serves `/health` and `/metrics` of the worker as it is now.
async fn serve_status(
    address: SocketAddr,
    current: &CurrentWorker,
    progress: FetchProgress,
    nats: &Arc<Nats>,
) -> Result<(), CliError> {
    let (current, nats) = (Arc::clone(current), Arc::clone(nats));
    let state = move || WorkerState {
        status: lock(&current).as_ref().map(|worker| worker.status()),
        fetch: progress.status(),
        is_connected: nats.is_connected(),
    };
    let served = serve_worker_status(address, state);
    served.await.map_err(|error| {
        let remedy = "Choose another address with --metrics-listen.";
        CliError::new(Category::Usage, format!("{address} is not free: {error}"), remedy)
    })
}

/// Runs what takes long, such as measuring providers, in a thread of its own.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    let (sender, receiver) = oneshot::channel();
    // The receiver is gone if the process ends.
    let spawned =
        thread::Builder::new().name("start".into()).spawn(move || drop(sender.send(work())));
    spawned.map_err(|error| cannot_start_threads(&error))?;
    receiver.await.map_err(|_| CliError::plain(Category::Other, "the worker cannot be started"))
}

fn cannot_start_threads(error: &std::io::Error) -> CliError {
    CliError::plain(Category::Other, format!("cannot start threads: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the machine and the number of the process, which no other worker of the cluster has as long as machines have names.
fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let host = host.trim();
    format!("{}-{}", if host.is_empty() { "worker" } else { host }, std::process::id())
}
