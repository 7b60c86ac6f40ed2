//! `stemwire worker`: computes segments for the servers of a cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;

use super::cluster_secret::ClusterSecretArgs;
use super::engine_args::EngineArgs;
use super::error::CliError;
use super::otlp::OtlpArgs;
use super::output::write;
use super::providers::{self, SelectionLimits};
use super::setup;
use super::stop_signals::StopSignals;
use crate::cluster::tasks::{ClusterWorker, Presence, WorkerAnnouncement, pull_tasks};
use crate::cluster::{Nats, NatsLocation};
use crate::engine::provider::selection::{ModelsToSelect, SelectionOutcome};
use crate::proto::reason::Category;
use crate::server::serve_worker_status;

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// NATS servers of the cluster, such as nats://10.0.0.1:4222,nats://10.0.0.2:4222
    #[arg(long, value_name = "URL,URL", hide_env_values = true, env = "STEMWIRE_CLUSTER")]
    cluster: String,
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

/// Computes until the process is asked to end.
pub(super) fn run(args: &WorkerArgs) -> Result<(), CliError> {
    let location: NatsLocation = args.cluster.parse()?;
    // No other machine calls a worker.
    let secret = args.secret.read(&[])?;
    let available = setup::available_models(args.engine.models_dir.as_deref());
    let nats = Arc::new(Nats::connect(&location, WITHOUT_NATS)?);
    let limits = SelectionLimits::default();
    let models = ModelsToSelect { preferred: available.all().to_vec(), others: Vec::new() };
    let SelectionOutcome { providers, without_provider } =
        providers::select(&args.engine, limits, &models)?;
    for skipped in &without_provider {
        eprintln!("warning: {}", skipped.error.for_model(&skipped.model));
    }
    let pool = setup::pool(&args.engine, limits.engine, providers)?;
    let name = args.name.clone().unwrap_or_else(default_name);
    let usable: Vec<_> = available
        .all()
        .iter()
        .filter(|model| without_provider.iter().all(|skipped| skipped.model != model.card().name))
        .cloned()
        .collect();
    let worker = Arc::new(ClusterWorker::new(name.clone(), pool, usable, secret.as_ref()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CliError::plain(Category::Other, format!("cannot start threads: {error}"))
    })?;
    runtime.block_on(async {
        // Before others learn that there is a worker to stop.
        let signals = StopSignals::catch();
        if let Some(address) = args.metrics_listen {
            let nats = Arc::clone(&nats);
            let served =
                serve_worker_status(address, Arc::clone(&worker), move || nats.is_connected());
            served.await.map_err(|error| {
                let remedy = "Choose another address with --metrics-listen.";
                CliError::new(Category::Usage, format!("{address} is not free: {error}"), remedy)
            })?;
        }
        write(&format!("worker {name} computes {} segments at a time\n", worker.lanes()))?;
        let (stop, stopped) = watch::channel(false);
        let announcement = WorkerAnnouncement::new(&name, worker.lanes(), &worker.engines());
        let presence = Presence::begin(&nats, &announcement);
        let pulling = pull_tasks(&nats, Arc::clone(&worker), stopped);
        tokio::pin!(pulling);
        tokio::select! {
            () = &mut pulling => return Ok(()),
            () = signals.next() => {}
        }
        tracing::info!("stopping once the segments that are being computed are delivered");
        // The receivers live as long as `pulling`.
        let _ = stop.send(true);
        pulling.await;
        presence.end().await;
        Ok(())
    })
}

/// The name of the machine and the number of the process, which no other worker of the cluster has as long as machines have names.
fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let host = host.trim();
    format!("{}-{}", if host.is_empty() { "worker" } else { host }, std::process::id())
}
