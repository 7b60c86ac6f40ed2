//! The dispatcher of this process: the task queue, the worker threads, and the tasks that are running.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::typical_times::TypicalTimes;
use super::{OnDone, OnStart, OwnerId, PoolConfig, Task};
use crate::audio::Stereo;
use crate::engine::pool::fairness::FairQueue;
use crate::engine::speed::Speeds;
use crate::engine::stop::Stopper;
use crate::engine::{
    EngineError, EngineIdentity, EngineOptions, Loader, ProviderSelection, SeparatedSegment,
};
use crate::model::{Model, ModelCard, ModelName};

/// Number of a worker thread. A replacement gets a new number.
pub(super) type WorkerId = u64;

/// State shared by all threads of the pool.
pub(super) struct LocalDispatcher {
    config: PoolConfig,
    loader: Box<dyn Loader>,
    providers: ProviderSelection,
    speeds: Arc<Speeds>,
    state: Mutex<LocalState>,
    /// Wakes a worker when a task is queued.
    task_queued: Condvar,
    /// Wakes the watchdog when a task starts or ends.
    tasks_changed: Condvar,
}

#[derive(Default)]
pub(super) struct LocalState {
    queue: FairQueue<OwnerId, Task>,
    pub(super) closed: bool,
    next_worker: WorkerId,
    workers: BTreeMap<WorkerId, JoinHandle<()>>,
    pub(super) running: BTreeMap<WorkerId, RunningTask>,
    /// Abandoned threads that are still inside an engine, with its model.
    abandoned: HashMap<WorkerId, ModelName>,
    typical: TypicalTimes,
}

/// A task that a worker has taken.
pub(super) struct RunningTask {
    owner: OwnerId,
    model: ModelName,
    on_done: OnDone,
    started: Instant,
    /// Time limit of the current step: loading, then running.
    limit: Duration,
    pub(super) deadline: Instant,
    /// Set once the engine is about to run.
    stopper: Option<Stopper>,
    stop_requested: bool,
}

/// The part of a task that its worker needs.
pub(super) struct Assignment {
    pub(super) model: Arc<Model>,
    pub(super) mix: Stereo,
    pub(super) options: EngineOptions,
    pub(super) isolated: bool,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) on_start: OnStart,
}

impl LocalDispatcher {
    pub(super) fn new(
        config: PoolConfig,
        providers: ProviderSelection,
        loader: Box<dyn Loader>,
        speeds: Arc<Speeds>,
    ) -> LocalDispatcher {
        LocalDispatcher {
            config,
            loader,
            providers,
            speeds,
            state: Mutex::default(),
            task_queued: Condvar::new(),
            tasks_changed: Condvar::new(),
        }
    }

    pub(super) fn config(&self) -> PoolConfig {
        self.config
    }

    /// The engine of a model.
    pub(super) fn identity(&self, model: &Model) -> EngineIdentity {
        self.providers.identity(model, self.config.threads_per_worker)
    }

    pub(super) fn loader(&self) -> &dyn Loader {
        self.loader.as_ref()
    }

    /// Counts the time of a segment for the speed of its model.
    pub(super) fn count_time(&self, model: &Model, options: &EngineOptions, taken: Duration) {
        self.speeds.count(model, self.providers.for_model(model).execution, options, taken);
    }

    /// Adds the worker thread that `spawn` starts.
    pub(super) fn add_worker(
        &self,
        spawn: impl FnOnce(WorkerId) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.next_worker;
        state.next_worker += 1;
        let thread = spawn(id)?;
        state.workers.insert(id, thread);
        Ok(())
    }

    /// Queues a task. Returns it if the pool is closed.
    pub(super) fn push(&self, owner: OwnerId, task: Task) -> Option<Task> {
        let mut state = self.lock();
        if state.closed {
            return Some(task);
        }
        state.queue.push(owner, task);
        self.task_queued.notify_one();
        None
    }

    /// Removes an owner and returns its queued tasks.
    pub(super) fn remove(&self, owner: OwnerId) -> Vec<Task> {
        self.lock().queue.remove(owner)
    }

    pub(super) fn has_abandoned_worker(&self, model: &ModelName) -> bool {
        self.lock().abandoned.values().any(|abandoned| abandoned == model)
    }

    /// Waits for the next task and assigns it to this worker. `None` once the pool is closed.
    pub(super) fn next(&self, id: WorkerId) -> Option<Assignment> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((owner, task)) = state.queue.pop() {
                let Task { model, mix, options, isolated, cancelled, on_start, on_done, .. } = task;
                let (now, limit) = (Instant::now(), self.config.limits.load);
                let running = RunningTask {
                    owner,
                    model: model.card().name.clone(),
                    on_done,
                    started: now,
                    limit,
                    deadline: now + limit,
                    // Loading cannot be stopped.
                    stopper: None,
                    stop_requested: false,
                };
                state.running.insert(id, running);
                self.tasks_changed.notify_one();
                return Some(Assignment { model, mix, options, isolated, cancelled, on_start });
            }
            state = self.task_queued.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Starts the time limit of this worker's segment, whose engine is loaded. Returns `false` if the task has been
    /// abandoned or the pool is closed; the engine must then not run.
    pub(super) fn start_segment(
        &self,
        id: WorkerId,
        card: &ModelCard,
        stopper: Option<Stopper>,
    ) -> bool {
        let mut state = self.lock();
        let limit = state.typical.limit(card, &self.config.limits);
        if state.closed {
            return false;
        }
        let Some(running) = state.running.get_mut(&id) else { return false };
        running.started = Instant::now();
        (running.limit, running.deadline) = (limit, running.started + limit);
        running.stopper = stopper;
        self.tasks_changed.notify_one();
        true
    }

    /// Reports the result of this worker's task and the time it took. Returns `false` if the worker was abandoned and
    /// must end.
    pub(super) fn finish(
        &self,
        id: WorkerId,
        result: Result<SeparatedSegment, EngineError>,
        taken: Duration,
    ) -> bool {
        let mut state = self.lock();
        let Some(running) = state.running.remove(&id) else {
            state.abandoned.remove(&id);
            return false;
        };
        let cost = match result {
            Ok(_) => state.typical.cost(&running.model, taken),
            Err(_) => taken,
        };
        state.queue.finish(running.owner, cost);
        let result = match result {
            Ok(segment) => {
                state.typical.record(&running.model, segment.engine_time);
                Ok(segment)
            }
            Err(_) if state.closed => Err(EngineError::ShuttingDown),
            Err(_) if running.stop_requested => Err(running.timed_out()),
            Err(error) => Err(error),
        };
        self.tasks_changed.notify_one();
        drop(state);
        (running.on_done)(result);
        true
    }

    /// Abandons a worker that does not return. Returns the callback of its task and the error for it.
    pub(super) fn abandon(
        &self,
        state: &mut LocalState,
        id: WorkerId,
    ) -> Option<(OnDone, EngineError)> {
        let running = state.running.remove(&id)?;
        // The thread is never joined: it ends when its call returns, or with the process.
        drop(state.workers.remove(&id));
        state.queue.finish(running.owner, running.started.elapsed());
        state.abandoned.insert(id, running.model.clone());
        let error = if state.closed { EngineError::ShuttingDown } else { running.timed_out() };
        Some((running.on_done, error))
    }

    /// Closes the pool and requests running tasks to stop. Returns the queued tasks.
    pub(super) fn close(&self) -> Vec<Task> {
        let mut state = self.lock();
        state.closed = true;
        for running in state.running.values_mut() {
            running.request_stop(self.config.limits.grace);
        }
        self.task_queued.notify_all();
        self.tasks_changed.notify_one();
        state.queue.drain()
    }

    /// Takes the worker threads out for joining. The pool must be closed and idle.
    pub(super) fn take_workers(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.lock().workers).into_values().collect()
    }

    /// Waits until a task starts or ends, or until `deadline`.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, LocalState>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, LocalState> {
        match deadline {
            None => self.tasks_changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let waited = self.tasks_changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LocalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningTask {
    /// Requests a stop, once, and allows `grace` for it. Returns whether the engine could be asked.
    pub(super) fn request_stop(&mut self, grace: Duration) -> bool {
        if self.stop_requested {
            return false;
        }
        self.stop_requested = true;
        self.deadline = Instant::now() + grace;
        // Called under the dispatcher's lock, so that it stops this run and not a later one.
        let stopper = self.stopper.take();
        stopper.is_some_and(|stop| {
            stop();
            true
        })
    }

    fn timed_out(&self) -> EngineError {
        EngineError::TimedOut { model: self.model.to_string(), limit: self.limit }
    }
}
