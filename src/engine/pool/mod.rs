//! The worker pool: what runs segments on engines.
//!
//! A [`Dispatcher`] computes them. That of this process has [`threads`]: it holds the queue ([`local`]), which is fair between
//! sessions ([`fairness`]). Each [`worker`] keeps the engines that it has loaded. The [`watchdog`] enforces time limits, which
//! follow the [`typical`] time of a model. A [`benchmark`] measures the speed of one.

mod benchmark;
mod fairness;
mod local;
mod threads;
mod typical;
mod watchdog;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{EngineError, EngineOptions, Loader, ProviderSelection, SeparatedSegment};
use crate::audio::Stereo;
use crate::engine::limits::TimeLimits;
use crate::engine::speed::{MeasuredSpeed, SpeedConditions, Speeds};
use crate::model::{Model, ModelName};

pub use benchmark::Benchmark;
pub(crate) use fairness::FairQueue;
use local::LocalDispatcher;
use threads::WorkerThreads;

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

/// Owner of tasks; engine time is shared between owners. A session uses its id.
pub type OwnerId = u128;

/// Owner of warm-ups and probes; no session has this id.
const POOL_ITSELF: OwnerId = 0;

/// One segment to separate.
pub struct Task {
    /// The model to use.
    pub model: Arc<Model>,
    /// The number of the segment in its session.
    pub segment: u64,
    /// The segment, as long as the model's card specifies.
    pub mix: Stereo,
    /// Options for the engine.
    pub options: EngineOptions,
    /// Whether to compute it in a process of its own.
    pub isolated: bool,
    /// Set to skip the task if no worker has taken it yet.
    pub cancelled: Arc<AtomicBool>,
    /// Called on the worker's thread before an engine gets the segment; must be quick.
    pub on_start: OnStart,
    /// Called with the result, exactly once, on a thread of the pool; must be quick.
    pub on_done: OnDone,
}

/// Callback for the start of a task.
pub type OnStart = Box<dyn FnOnce() + Send>;

/// Callback for the result of a task.
pub type OnDone = Box<dyn FnOnce(Result<SeparatedSegment, EngineError>) + Send>;

/// Computes tasks: on the worker threads of this process, or on other machines. Dropping it answers what has not been
/// computed with [`EngineError::ShuttingDown`].
pub trait Dispatcher: Send + Sync {
    /// Queues a task. Its result is always delivered through `task.on_done`.
    fn submit(&self, owner: OwnerId, task: Task);

    /// Removes an owner; its queued tasks are answered with [`EngineError::Cancelled`].
    fn remove(&self, owner: OwnerId);

    /// Whether an abandoned thread is still inside an engine of this model.
    fn has_abandoned_worker(&self, model: &ModelName) -> bool;

    /// Segments that are computed at a time.
    fn lanes(&self) -> usize;
}

/// What computes segments: the [`Dispatcher`], and how its engines run.
pub struct Pool {
    config: PoolConfig,
    providers: ProviderSelection,
    speeds: Arc<Speeds>,
    dispatcher: Box<dyn Dispatcher>,
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
        Ok(Pool { config, providers, speeds, dispatcher })
    }

    /// Has tasks computed by `dispatcher`, with engines that run on these providers. `config` is that of each worker.
    pub fn by(
        dispatcher: Box<dyn Dispatcher>,
        config: PoolConfig,
        providers: impl Into<ProviderSelection>,
    ) -> Pool {
        // Speeds are those of this machine, which computes nothing.
        let speeds = Arc::new(Speeds::new(None, SpeedConditions::default()));
        Pool { config, providers: providers.into(), speeds, dispatcher }
    }

    /// How the cores are divided.
    pub fn config(&self) -> PoolConfig {
        self.config
    }

    /// The loaded library and the provider of each model.
    pub fn providers(&self) -> &ProviderSelection {
        &self.providers
    }

    /// The speed of a model, if it was measured on this machine.
    pub fn speed(&self, model: &Model) -> Option<MeasuredSpeed> {
        self.speeds.of(model, self.providers.for_model(model).execution)
    }

    /// Sets the speed of a model by the time of a segment.
    fn set_speed(&self, model: &Model, taken: Duration) -> std::io::Result<()> {
        self.speeds.set(model, self.providers.for_model(model).execution, taken)
    }

    /// Segments that are computed at a time.
    pub fn lanes(&self) -> usize {
        self.dispatcher.lanes()
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
            cancelled: Arc::default(),
            on_start: Box::new(|| {}),
            on_done,
        };
        self.submit(POOL_ITSELF, task);
    }
}
