//! The worker pool: what runs segments on engines.
//!
//! A [`Dispatcher`] computes them: that of this process ([`local_dispatcher`]), or the [`remote_workers`] of a cluster. The first
//! has [`worker_threads`] and a queue that is fair between sessions ([`fairness`]). Each [`worker`] keeps the engines that it
//! has loaded. The [`watchdog`] enforces time limits, which follow the [`typical_times`] of a model. A [`benchmark`] measures
//! the speed of one. A [`guard`] keeps panics within engines.

mod benchmark;
mod dispatcher;
mod fairness;
mod guard;
mod local_dispatcher;
mod remote_workers;
mod typical_times;
mod watchdog;
mod worker;
mod worker_threads;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{
    EngineError, EngineIdentity, EngineOptions, Execution, Loader, ProviderSelection, Runtime,
};
use crate::audio::Stereo;
use crate::engine::limits::TimeLimits;
use crate::engine::provider::selection::SelectedExecution;
use crate::engine::speed::{MeasuredSpeed, SpeedConditions, Speeds};
use crate::model::Model;

pub use benchmark::Benchmark;
pub use dispatcher::{Dispatcher, OnDone, OnStart, OwnerId, Task};
pub(crate) use fairness::FairQueue;
pub(crate) use guard::{checked, guarded};
pub use remote_workers::{ClusterState, RemoteWorker, TaskTotals, WorkerFault};

use local_dispatcher::LocalDispatcher;
use worker_threads::WorkerThreads;

/// How the cores are divided among workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Worker threads.
    pub workers: usize,
    /// Compute threads of each engine.
    pub threads_per_worker: usize,
    /// Models that a worker keeps loaded; the least recently used is unloaded first.
    pub models_per_worker: usize,
    /// When an engine counts as hanging.
    pub limits: TimeLimits,
}

impl PoolConfig {
    /// Beyond this many threads one segment hardly gets faster, and a second worker gains more.
    const USEFUL_THREADS: usize = 4;

    /// Divides `threads` cores among as many workers as are useful.
    pub fn for_threads(threads: usize) -> PoolConfig {
        let threads = threads.max(1);
        PoolConfig::for_workers(threads, threads.div_ceil(Self::USEFUL_THREADS))
    }

    /// Divides `threads` cores among `workers` workers, at least one core each.
    pub fn for_workers(threads: usize, workers: usize) -> PoolConfig {
        let workers = workers.max(1);
        PoolConfig {
            workers,
            threads_per_worker: (threads / workers).max(1),
            models_per_worker: 2,
            limits: TimeLimits::default(),
        }
    }
}

/// Owner of warm-ups and probes; no session has this id.
const POOL_ITSELF: OwnerId = 0;

/// What computes segments: the [`Dispatcher`], and how the engines of this process run, if it has any.
pub struct Pool {
    here: Option<EnginesHere>,
    dispatcher: Box<dyn Dispatcher>,
}

/// The engines of this process.
struct EnginesHere {
    providers: ProviderSelection,
    speeds: Arc<Speeds>,
}

impl Pool {
    /// Starts the workers.
    ///
    /// # Errors
    /// The system's error when no thread can be started.
    pub fn start(
        config: PoolConfig,
        providers: impl Into<ProviderSelection>,
    ) -> std::io::Result<Pool> {
        let providers = providers.into();
        let loader = Box::new(providers.clone());
        Pool::with_loader(config, providers, loader)
    }

    /// Starts workers that load their engines with `loader`.
    ///
    /// # Errors
    /// As [`Pool::start`].
    pub fn with_loader(
        config: PoolConfig,
        providers: impl Into<ProviderSelection>,
        loader: Box<dyn Loader>,
    ) -> std::io::Result<Pool> {
        Pool::with_cache(config, providers, loader, None)
    }

    /// The same, with the speeds of models in a cache file.
    ///
    /// # Errors
    /// As [`Pool::start`].
    pub fn with_cache(
        config: PoolConfig,
        providers: impl Into<ProviderSelection>,
        loader: Box<dyn Loader>,
        cache: Option<PathBuf>,
    ) -> std::io::Result<Pool> {
        let providers = providers.into();
        let conditions = SpeedConditions {
            runtime: providers.runtime().name().to_owned(),
            threads: config.threads_per_worker,
            workers: config.workers,
        };
        let speeds = Arc::new(Speeds::new(cache, conditions));
        let local = LocalDispatcher::new(config, providers.clone(), loader, Arc::clone(&speeds));
        let dispatcher = Box::new(WorkerThreads::start(local)?);
        Ok(Pool { here: Some(EnginesHere { providers, speeds }), dispatcher })
    }

    /// Has tasks computed by `dispatcher`, with engines of other machines.
    pub fn by(dispatcher: Box<dyn Dispatcher>) -> Pool {
        Pool { here: None, dispatcher }
    }

    /// The loaded library, if engines run in this process.
    pub fn runtime(&self) -> Option<&Runtime> {
        self.here.as_ref().map(|here| here.providers.runtime())
    }

    /// How `model` is executed, and why. `None` where no machine has it.
    pub fn execution(&self, model: &Model) -> Option<SelectedExecution> {
        if let Some(here) = &self.here {
            return Some(here.providers.for_model(model));
        }
        let EngineIdentity { provider, precision, .. } = self.engines(model).into_iter().next()?;
        Some(SelectedExecution {
            execution: Execution { provider, precision },
            reason: "that of most workers".to_owned(),
            results: Vec::new(),
        })
    }

    /// The engines that compute `model` now, the preferred one first. None where no machine has it.
    pub fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        self.dispatcher.engines(model)
    }

    /// How long no machine has had `engine`, or any engine of `model` if none is named. Zero while one has it.
    pub fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        self.dispatcher.absent(model, engine)
    }

    /// The other machines, if they compute.
    pub fn cluster(&self) -> Option<ClusterState> {
        self.dispatcher.cluster()
    }

    /// The speed of a model, if it was measured on this machine.
    pub fn speed(&self, model: &Model) -> Option<MeasuredSpeed> {
        let EnginesHere { providers, speeds } = self.here.as_ref()?;
        speeds.of(model, providers.for_model(model).execution)
    }

    /// Sets the speed of a model by the time of a segment.
    fn set_speed(&self, model: &Model, taken: Duration) -> std::io::Result<()> {
        let Some(EnginesHere { providers, speeds }) = &self.here else { return Ok(()) };
        speeds.set(model, providers.for_model(model).execution, taken)
    }

    /// Segments that are computed at a time.
    pub fn lanes(&self) -> usize {
        self.dispatcher.lanes()
    }

    /// Segments that are computed at a time by one of [`Pool::engines`] of `model`.
    pub fn lanes_of(&self, model: &Model, engine: &EngineIdentity) -> usize {
        self.dispatcher.lanes_of(model, engine)
    }

    /// The engine that computes `member` where `engine` computes an ensemble of it and others.
    pub fn member_engine(&self, member: &Model, engine: &EngineIdentity) -> Option<EngineIdentity> {
        self.dispatcher.member_engine(member, engine)
    }

    /// Whether a task that has failed was tried twice.
    pub fn retries(&self) -> bool {
        self.dispatcher.retries()
    }

    /// Queues a task. Its result is always delivered through `task.on_done`.
    pub fn submit(&self, owner: OwnerId, task: Task) {
        self.dispatcher.submit(owner, task);
    }

    /// Removes an owner; its queued tasks are answered with [`EngineError::Cancelled`].
    pub fn remove(&self, owner: OwnerId) {
        self.dispatcher.remove(owner);
    }

    /// Whether an abandoned thread is still inside an engine of this model.
    pub fn has_abandoned_worker(&self, model: &Model) -> bool {
        self.dispatcher.has_abandoned_worker(&model.card().name)
    }

    /// Loads `model` in one worker and separates a segment of silence, so that faults show and memory is touched before
    /// the first session. Returns the engine time.
    ///
    /// # Errors
    /// All errors of loading and running.
    pub fn warm_up(&self, model: &Arc<Model>) -> Result<Duration, EngineError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let on_done = move |result| {
            // The receiver is gone only if this thread has panicked.
            let _ = sender.send(result);
        };
        self.probe(model, Box::new(on_done));
        let result = receiver.recv().unwrap_or(Err(EngineError::ShuttingDown));
        result.map(|segment| segment.engine_time)
    }

    /// Separates a segment of silence with `model`, without waiting for the result.
    pub fn probe(&self, model: &Arc<Model>, on_done: OnDone) {
        let task = Task {
            model: Arc::clone(model),
            segment: 0,
            mix: Stereo::zeros(model.card().segment.as_len()),
            options: EngineOptions::all(model.card()),
            isolated: false,
            engine: None,
            cancelled: Arc::default(),
            on_start: Box::new(|| {}),
            on_done,
        };
        self.submit(POOL_ITSELF, task);
    }
}
