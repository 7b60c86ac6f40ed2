//! Fetches the models that gateways serve beside the worker, in a thread of its own.

use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::{WorkerArgs, cannot_start_threads};
use crate::cli::error::CliError;
use crate::cli::setup;
use crate::cluster::{ClusterSecret, FetchProgress, ModelFetcher, Nats, StoreLocation};

/// Mean interval between looks for models of gateways.
const INTERVAL: Duration = Duration::from_secs(5);

/// What is needed to fetch models.
pub(super) struct Fetching(ModelFetcher);

/// Reports that models have been fetched.
pub(super) struct FetchedModels(watch::Receiver<u64>);

impl Fetching {
    /// `None` without an object store.
    ///
    /// # Errors
    /// An address that is none; a store that cannot be opened.
    pub(super) fn prepare(
        args: &WorkerArgs,
        nats: &Arc<Nats>,
        secret: Option<&ClusterSecret>,
    ) -> Result<Option<Fetching>, CliError> {
        let Some(location) = &args.store else { return Ok(None) };
        let location: StoreLocation = location.parse()?;
        let store = setup::open_store(&location)?;
        let models = setup::models_folder(args.engine.models_dir.as_deref())?;
        let (nats, secret, place) = (Arc::clone(nats), secret.cloned(), location.to_string());
        Ok(Some(Fetching(ModelFetcher::new(nats, secret, Arc::new(store), place, models))))
    }

    /// How far it is.
    pub(super) fn progress(&self) -> FetchProgress {
        self.0.progress()
    }

    /// Starts the thread. The first report follows the first look, whether or not there was anything to fetch.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn begin(self) -> Result<FetchedModels, CliError> {
        let Fetching(mut fetcher) = self;
        let (sender, receiver) = watch::channel(0);
        let work = move || {
            fetcher.fetch_missing();
            for report in 1.. {
                if sender.send(report).is_err() {
                    return;
                }
                while !sender.is_closed() {
                    thread::sleep(pause());
                    if fetcher.fetch_missing() {
                        break;
                    }
                }
            }
        };
        let spawned = thread::Builder::new().name("models".into()).spawn(work);
        spawned.map_err(|error| cannot_start_threads(&error))?;
        Ok(FetchedModels(receiver))
    }
}

impl FetchedModels {
    /// Waits for the next report.
    pub(super) async fn more(&mut self) {
        if self.0.changed().await.is_err() {
            // The thread has panicked, which was printed: the worker continues with what it has.
            pending::<()>().await;
        }
    }
}

/// Half an interval to one and a half, at random: workers that started at one time do not all look, fetch and load at one time.
fn pause() -> Duration {
    // The keys of each hasher are random.
    let [random, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    INTERVAL / 2 + INTERVAL * u32::from(random) / u32::from(u8::MAX)
}
