//! The workers: threads that run engines, shared fairly by all sessions.
//!
//! Compute threads are one number for the whole process, however many models there are: each worker
//! has its share of them. A worker keeps the engines that it used last.

mod fair;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Answer, EngineError, Model, Options, Runtime};
use crate::audio::Stereo;

use fair::FairQueue;

/// How the cores are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Threads that run engines.
    pub workers: usize,
    /// Compute threads that each engine uses.
    pub threads_per_worker: usize,
    /// Models that a worker keeps loaded; the least recently used goes first.
    pub models_per_worker: usize,
}

impl PoolConfig {
    /// Beyond this many threads one segment hardly gets faster, and a second worker does more.
    const THREADS_THAT_HELP: usize = 4;

    /// Divides `threads` cores among workers.
    pub fn for_threads(threads: usize) -> PoolConfig {
        let threads = threads.max(1);
        let workers = threads.div_ceil(Self::THREADS_THAT_HELP);
        PoolConfig { workers, threads_per_worker: threads / workers, models_per_worker: 2 }
    }
}

/// Who a job belongs to; time is shared between owners.
pub type Owner = u128;

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
    /// Gets the result, on a worker's thread; must be quick.
    pub done: Done,
}

/// Gets a job's result.
pub type Done = Box<dyn FnOnce(Result<Answer, EngineError>) + Send>;

/// The workers. Dropping it ends them: what runs is finished, what waits is answered
/// [`EngineError::ShuttingDown`].
pub struct Pool {
    shared: Arc<Shared>,
    config: PoolConfig,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    runtime: Runtime,
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    queue: FairQueue<Owner, Job>,
    closed: bool,
}

impl Pool {
    /// Starts the workers.
    ///
    /// # Errors
    /// What the system says when it has no thread left.
    pub fn start(config: PoolConfig, runtime: Runtime) -> std::io::Result<Pool> {
        let state = State { queue: FairQueue::new(), closed: false };
        let shared = Arc::new(Shared { runtime, state: Mutex::new(state), work: Condvar::new() });
        let mut pool = Pool { shared, config, workers: Vec::new() };
        for index in 0..config.workers {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            pool.workers.push(thread.spawn(move || worker::run(&shared, config))?);
        }
        Ok(pool)
    }

    /// How the cores are shared.
    pub fn config(&self) -> PoolConfig {
        self.config
    }

    /// What runs the models.
    pub fn runtime(&self) -> &Runtime {
        &self.shared.runtime
    }

    /// Queues a job. Its result comes through `job.done`, in any case.
    pub fn submit(&self, owner: Owner, job: Job) {
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            (job.done)(Err(EngineError::ShuttingDown));
            return;
        }
        state.queue.push(owner, job);
        self.shared.work.notify_one();
    }

    /// Forgets an owner; its jobs that wait are answered [`EngineError::Cancelled`].
    pub fn remove(&self, owner: Owner) {
        let waiting = self.shared.lock().queue.remove(owner);
        for job in waiting {
            (job.done)(Err(EngineError::Cancelled));
        }
    }

    /// Loads `model` in one worker and separates a segment of silence with it, so that faults show
    /// and memory is touched before anybody waits for it.
    ///
    /// # Errors
    /// All that loading and running can give.
    pub fn warm_up(&self, model: &Arc<Model>) -> Result<Duration, EngineError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let job = Job {
            model: Arc::clone(model),
            mix: Stereo::zeros(model.card().segment.as_len()),
            options: Options::all(model.card()),
            cancelled: Arc::default(),
            done: Box::new(move |result| {
                // Nobody waits any more only if this thread has panicked.
                let _ = sender.send(result);
            }),
        };
        self.submit(0, job);
        let answer = receiver.recv().unwrap_or(Err(EngineError::ShuttingDown));
        self.remove(0);
        answer.map(|answer| answer.engine_time)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.shared.lock();
            state.closed = true;
            state.queue.drain()
        };
        self.shared.work.notify_all();
        for job in waiting {
            (job.done)(Err(EngineError::ShuttingDown));
        }
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its engines; its own would have been printed.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when the pool has closed.
    fn next(&self) -> Option<(Owner, Job)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(next) = state.queue.pop() {
                return Some(next);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Runs `work`, and makes a panic of it an error of `model`.
fn guarded<T>(
    model: &Model,
    work: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let reason = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(EngineError::Panicked {
            model: model.card().name.to_string(),
            reason: reason.unwrap_or("without a message").to_owned(),
        })
    })
}

fn is_cancelled(job: &Job) -> bool {
    job.cancelled.load(Ordering::Relaxed)
}
