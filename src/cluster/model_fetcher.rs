//! Fetches the models that gateways serve, for a worker that lacks them, from the object store.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::served_models::{AnnouncementFault, ServedModels, served_models};
use super::stored_models::StoredModels;
use super::{ClusterSecret, Nats};
use crate::model::registry::pull::DownloadStep;
use crate::model::registry::stored::ModelToInstall;
use crate::model::registry::{RegistryError, StoreProblem};
use crate::model::{AvailableModels, ModelCard, ModelName, Sha256Hash};
use crate::session::replica::Replica;

/// Pause after a model could not be fetched for the first time; it is doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// Longest pause: what is damaged in the store may have gigabytes.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Interval of lines in the log about a file that is being fetched.
const REPORT: Duration = Duration::from_secs(10);

/// Bytes of the file that is being fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchedBytes {
    /// Those that are there.
    pub bytes: u64,
    /// Those of the whole file.
    pub total: u64,
}

/// What a worker lacks, and has of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchStatus {
    /// Models of the gateways that are not here.
    pub missing: Vec<ModelName>,
    /// The file that is being fetched.
    pub fetched: Option<FetchedBytes>,
}

/// A [`FetchStatus`] for other threads.
#[derive(Debug, Clone, Default)]
pub struct FetchProgress(Arc<Mutex<FetchStatus>>);

impl FetchProgress {
    /// The status now.
    pub fn status(&self) -> FetchStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, FetchStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a models folder up to date.
pub struct ModelFetcher {
    nats: Arc<Nats>,
    secret: Option<ClusterSecret>,
    store: Arc<dyn Replica>,
    place: String,
    models: PathBuf,
    /// The models that were in the folder at first, and whenever there was a new one.
    known: HashSet<InstalledModel>,
    failed: HashMap<InstalledModel, FailedFetch>,
    faults: Vec<AnnouncementFault>,
    is_away: bool,
    progress: FetchProgress,
}

/// Name and weights of a model in the folder.
type InstalledModel = (ModelName, Sha256Hash);

/// A model that could not be fetched.
#[derive(Debug, Clone, Copy)]
struct FailedFetch {
    again: Instant,
    pause: Duration,
}

impl ModelFetcher {
    /// Fetches from `store`, which errors name by `place`, into the folder `models` what gateways with this secret serve.
    pub fn new(
        nats: Arc<Nats>,
        secret: Option<ClusterSecret>,
        store: Arc<dyn Replica>,
        place: String,
        models: PathBuf,
    ) -> ModelFetcher {
        ModelFetcher {
            nats,
            secret,
            store,
            place,
            known: installed(&AvailableModels::open(Some(&models))),
            models,
            failed: HashMap::new(),
            faults: Vec::new(),
            is_away: false,
            progress: FetchProgress::default(),
        }
    }

    /// How far it is, from now on.
    pub fn progress(&self) -> FetchProgress {
        self.progress.clone()
    }

    /// Fetches the models that are missing, except those that have failed a short while ago. Returns whether the folder has one of
    /// the gateways' that it did not have before, by this or another process. Errors are logged. Not for threads that run
    /// asynchronous tasks.
    pub fn fetch_missing(&mut self) -> bool {
        let Some(served) = self.served() else { return false };
        let mut available = AvailableModels::open(Some(&self.models));
        let missing = self.missing(&served, &available);
        if !missing.is_empty() {
            missing.into_iter().for_each(|wanted| self.fetch(wanted));
            available = AvailableModels::open(Some(&self.models));
            self.missing(&served, &available);
        }
        let installed = installed(&available);
        let is_new = |model| installed.contains(&model) && !self.known.contains(&model);
        let is_new = served.iter().any(|wanted| is_new(identity(wanted.card())));
        if is_new {
            self.known = installed;
        }
        is_new
    }

    /// Those that are not in the folder, which the status has from now on.
    fn missing<'a>(
        &self,
        served: &'a [ModelToInstall],
        available: &AvailableModels,
    ) -> Vec<&'a ModelToInstall> {
        let is_here =
            |wanted: &ModelToInstall| available.all().iter().any(|model| wanted.is(model));
        let missing: Vec<_> = served.iter().filter(|wanted| !is_here(wanted)).collect();
        self.progress.lock().missing = missing.iter().map(|model| model.name().clone()).collect();
        missing
    }

    /// The models of the gateways; `None` while NATS is away.
    fn served(&mut self) -> Option<Vec<ModelToInstall>> {
        match served_models(&self.nats, self.secret.as_ref()) {
            Ok(ServedModels { models, faults }) => {
                self.is_away = false;
                for fault in faults.iter().filter(|fault| !self.faults.contains(fault)) {
                    tracing::warn!(%fault, "what a gateway announces of its models is not taken");
                }
                self.faults = faults;
                Some(models)
            }
            Err(error) => {
                if !self.is_away {
                    tracing::warn!(%error, "the models of the gateways cannot be read");
                }
                self.is_away = true;
                None
            }
        }
    }

    /// Fetches a model, unless that has failed a short while ago.
    fn fetch(&mut self, wanted: &ModelToInstall) {
        let card = wanted.card();
        let (model, identity) = (&card.name, identity(card));
        let failed = self.failed.get(&identity).copied();
        if failed.is_some_and(|failed| Instant::now() < failed.again) {
            return;
        }
        let stored = StoredModels::new(&*self.store, self.place.clone());
        tracing::info!(%model, weights = %identity.1, licence = card.licence, store = self.place, "fetching");
        let (begun, mut reported) = (Instant::now(), Instant::now());
        let mut steps = 0;
        let mut progress = |step: DownloadStep<'_>| {
            let DownloadStep::Fetching { file, bytes, total } = step else { return };
            steps += 1;
            self.progress.lock().fetched = Some(FetchedBytes { bytes, total });
            if reported.elapsed() >= REPORT {
                reported = Instant::now();
                tracing::info!(%model, file, bytes, total, "fetching");
            }
        };
        let installed = wanted.install(&self.models, &stored, &mut progress);
        self.progress.lock().fetched = None;
        match installed {
            Ok(()) => {
                let seconds = begun.elapsed().as_secs_f64();
                tracing::info!(%model, seconds, "fetched and verified");
                self.failed.remove(&identity);
            }
            Err(RegistryError::Busy { path }) => {
                tracing::info!(%model, path = %path.display(), "another process fetches it");
                let again = Instant::now() + FIRST_PAUSE;
                self.failed.insert(identity, FailedFetch { again, pause: Duration::ZERO });
            }
            Err(error) => {
                let is_away =
                    matches!(error, RegistryError::Store { problem: StoreProblem::Away(_), .. });
                // The next attempt continues after what a store that is away now and then has returned.
                let pause = match failed {
                    Some(failed) if !(is_away && steps > 1) => failed.pause * 2,
                    _ => FIRST_PAUSE,
                };
                let pause = pause.clamp(FIRST_PAUSE, LONGEST_PAUSE);
                let (remedy, again_s) = (error.remedy(), pause.as_secs());
                tracing::error!(%model, %error, remedy, again_s, "this worker does not compute the model");
                self.failed.insert(identity, FailedFetch { again: Instant::now() + pause, pause });
            }
        }
    }
}

fn identity(card: &ModelCard) -> InstalledModel {
    (card.name.clone(), card.weights_hash())
}

fn installed(available: &AvailableModels) -> HashSet<InstalledModel> {
    available.all().iter().map(|model| identity(model.card())).collect()
}
