//! The worker threads that run segments on engines.
//!
//! The [`dispatcher`] holds the queue, which is fair between sessions ([`fairness`]). Each [`worker`] keeps the engines
//! that it has loaded. The [`watchdog`] enforces the time [`limits`].

mod dispatcher;
mod fairness;
mod limits;
mod watchdog;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Answer, Computing, EngineError, Loader, Options};
use crate::audio::Stereo;
use crate::model::Model;

pub use limits::TimeLimits;

use dispatcher::Roster;

/// How the cores are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Threads that run engines.
    pub workers: usize,
    /// Compute threads that each engine uses.
    pub threads_per_worker: usize,
    /// Models that a worker keeps loaded; the least recently used goes first.
    pub models_per_worker: usize,
    /// When an engine counts as hanging.
    pub limits: TimeLimits,
}

impl PoolConfig {
    /// Beyond this many threads one segment hardly gets faster, and a second worker does more.
    const THREADS_THAT_HELP: usize = 4;

    /// Divides `threads` cores among workers.
    pub fn for_threads(threads: usize) -> PoolConfig {
        let threads = threads.max(1);
        PoolConfig::for_workers(threads, threads.div_ceil(Self::THREADS_THAT_HELP))
    }

    /// Divides `threads` cores among so many workers; each has one at least.
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

/// Who a job belongs to; time is shared between owners.
pub type Owner = u128;

/// Who segments of silence belong to; no session has this number.
const NOBODY: Owner = 0;

/// One segment to be separated.
pub struct Job {
    /// The model to use.
    pub model: Arc<Model>,
    /// The segment, as long as the model's card says.
    pub mix: Stereo,
    /// What is asked of the engine.
    pub options: Options,
    /// When this is set before the job is taken, it is not run.
    pub cancelled: Arc<AtomicBool>,
    /// Called when an engine is about to have the segment, on the worker's thread; must be quick.
    pub begun: Begun,
    /// Gets the result, on a thread of the pool; must be quick.
    pub done: Done,
}

/// Is told that a job begins.
pub type Begun = Box<dyn FnOnce() + Send>;

/// Gets a job's result.
pub type Done = Box<dyn FnOnce(Result<Answer, EngineError>) + Send>;

/// The workers. Dropping it ends them: what runs is asked to stop, what waits is answered
/// [`EngineError::ShuttingDown`].
pub struct Pool {
    roster: Arc<Roster>,
    computing: Computing,
    watcher: Option<JoinHandle<()>>,
}

impl Pool {
    /// Starts the workers.
    ///
    /// # Errors
    /// What the system says when it has no thread left.
    pub fn start(config: PoolConfig, computing: impl Into<Computing>) -> std::io::Result<Pool> {
        let computing = computing.into();
        let loader = Box::new(computing.clone());
        Pool::with_loader(config, computing, loader)
    }

    /// Starts workers that get their engines from `loader`.
    ///
    /// # Errors
    /// As [`Pool::start`].
    pub fn with_loader(
        config: PoolConfig,
        computing: impl Into<Computing>,
        loader: Box<dyn Loader>,
    ) -> std::io::Result<Pool> {
        let roster = Arc::new(Roster::new(config, loader));
        let mut pool = Pool { roster, computing: computing.into(), watcher: None };
        for _ in 0..config.workers {
            pool.roster.hire()?;
        }
        let roster = Arc::clone(&pool.roster);
        let watcher = std::thread::Builder::new().name("worker-watch".into());
        pool.watcher = Some(watcher.spawn(move || watchdog::run(&roster))?);
        Ok(pool)
    }

    /// How the cores are shared.
    pub fn config(&self) -> PoolConfig {
        self.roster.config()
    }

    /// What computes the models.
    pub fn computing(&self) -> &Computing {
        &self.computing
    }

    /// Queues a job. Its result comes through `job.done`, in any case.
    pub fn submit(&self, owner: Owner, job: Job) {
        if let Some(job) = self.roster.push(owner, job) {
            (job.done)(Err(EngineError::ShuttingDown));
        }
    }

    /// Forgets an owner; its jobs that wait are answered [`EngineError::Cancelled`].
    pub fn remove(&self, owner: Owner) {
        for job in self.roster.remove(owner) {
            (job.done)(Err(EngineError::Cancelled));
        }
    }

    /// Whether a thread that was given up still hangs in an engine of this model.
    pub fn is_stuck(&self, model: &Model) -> bool {
        self.roster.is_stuck(&model.card().name)
    }

    /// Loads `model` in one worker and separates a segment of silence with it, so that faults show
    /// and memory is touched before anybody waits for it.
    ///
    /// # Errors
    /// All that loading and running can give.
    pub fn warm_up(&self, model: &Arc<Model>) -> Result<Duration, EngineError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let done = move |result| {
            // Nobody waits any more only if this thread has panicked.
            let _ = sender.send(result);
        };
        self.try_out(model, Box::new(done));
        let answer = receiver.recv().unwrap_or(Err(EngineError::ShuttingDown));
        answer.map(|answer| answer.engine_time)
    }

    /// The same without waiting for it.
    pub fn try_out(&self, model: &Arc<Model>, done: Done) {
        let job = Job {
            model: Arc::clone(model),
            mix: Stereo::zeros(model.card().segment.as_len()),
            options: Options::all(model.card()),
            cancelled: Arc::default(),
            begun: Box::new(|| {}),
            done,
        };
        self.submit(NOBODY, job);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for job in self.roster.close() {
            (job.done)(Err(EngineError::ShuttingDown));
        }
        if let Some(watcher) = self.watcher.take() {
            // It ends when nothing runs any more; its panic would have been printed.
            let _ = watcher.join();
        }
        for worker in self.roster.dismissed() {
            // A worker catches the panics of its engines; its own would have been printed.
            let _ = worker.join();
        }
    }
}
