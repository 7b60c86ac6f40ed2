//! Who works on what: the queue, the workers, and the jobs that are under way.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::limits::UsualTimes;
use super::{Begun, Done, Job, Owner, PoolConfig, worker};
use crate::audio::Stereo;
use crate::engine::pool::fairness::FairQueue;
use crate::engine::stop::Stopper;
use crate::engine::{Answer, EngineError, Loader, Options};
use crate::model::{Model, ModelCard, ModelName};

/// A worker's number; one that is replaced is not used again.
pub(super) type WorkerId = u64;

/// What all threads of the pool share.
pub(super) struct Roster {
    config: PoolConfig,
    loader: Box<dyn Loader>,
    state: Mutex<State>,
    /// Tells workers of jobs.
    work: Condvar,
    /// Tells the watcher that a job has begun or ended.
    watch: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    queue: FairQueue<Owner, Job>,
    pub(super) closed: bool,
    hired: WorkerId,
    workers: BTreeMap<WorkerId, JoinHandle<()>>,
    pub(super) running: BTreeMap<WorkerId, Running>,
    /// Threads that were given up and have not come back.
    stuck: HashMap<WorkerId, ModelName>,
    usual: UsualTimes,
}

/// A job that a worker has.
pub(super) struct Running {
    owner: Owner,
    model: ModelName,
    done: Done,
    begun: Instant,
    /// What it may take, and until when.
    limit: Duration,
    pub(super) deadline: Instant,
    /// There once the engine runs.
    stopper: Option<Stopper>,
    /// It was asked to stop, or need not be.
    asked: bool,
}

/// What a worker needs of its job.
pub(super) struct Task {
    pub(super) model: Arc<Model>,
    pub(super) mix: Stereo,
    pub(super) options: Options,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) begun: Begun,
}

impl Roster {
    pub(super) fn new(config: PoolConfig, loader: Box<dyn Loader>) -> Roster {
        let (work, watch) = (Condvar::new(), Condvar::new());
        Roster { config, loader, state: Mutex::default(), work, watch }
    }

    pub(super) fn config(&self) -> PoolConfig {
        self.config
    }

    pub(super) fn loader(&self) -> &dyn Loader {
        self.loader.as_ref()
    }

    /// Starts one more worker.
    pub(super) fn hire(self: &Arc<Roster>) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.hired;
        state.hired += 1;
        let roster = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("worker-{id}"));
        let thread = thread.spawn(move || worker::run(&roster, id))?;
        state.workers.insert(id, thread);
        Ok(())
    }

    /// Queues a job; gives it back when the pool has closed.
    pub(super) fn push(&self, owner: Owner, job: Job) -> Option<Job> {
        let mut state = self.lock();
        if state.closed {
            return Some(job);
        }
        state.queue.push(owner, job);
        self.work.notify_one();
        None
    }

    /// Forgets an owner; answers its jobs that wait.
    pub(super) fn remove(&self, owner: Owner) -> Vec<Job> {
        self.lock().queue.remove(owner)
    }

    pub(super) fn is_stuck(&self, model: &ModelName) -> bool {
        self.lock().stuck.values().any(|stuck| stuck == model)
    }

    /// The next job of this worker; `None` when the pool has closed.
    pub(super) fn next(&self, id: WorkerId) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((owner, job)) = state.queue.pop() {
                let Job { model, mix, options, cancelled, begun, done } = job;
                let (now, limit) = (Instant::now(), self.config.limits.load);
                let running = Running {
                    owner,
                    model: model.card().name.clone(),
                    done,
                    begun: now,
                    limit,
                    deadline: now + limit,
                    stopper: None,
                    // What loads cannot be asked.
                    asked: false,
                };
                state.running.insert(id, running);
                self.watch.notify_one();
                return Some(Task { model, mix, options, cancelled, begun });
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that this worker's engine is loaded and is about to run; its time counts from now on. Answers
    /// whether it may: not where nobody waits for it any more.
    pub(super) fn begin(&self, id: WorkerId, card: &ModelCard, stopper: Option<Stopper>) -> bool {
        let mut state = self.lock();
        let limit = state.usual.limit(card, &self.config.limits);
        if state.closed {
            return false;
        }
        let Some(running) = state.running.get_mut(&id) else { return false };
        running.begun = Instant::now();
        (running.limit, running.deadline) = (limit, running.begun + limit);
        running.stopper = stopper;
        self.watch.notify_one();
        true
    }

    /// Says what has come of this worker's job and how long it took. Answers whether the worker may go on: one
    /// that was given up may not.
    pub(super) fn answer(
        &self,
        id: WorkerId,
        result: Result<Answer, EngineError>,
        taken: Duration,
    ) -> bool {
        let mut state = self.lock();
        let Some(running) = state.running.remove(&id) else {
            state.stuck.remove(&id);
            return false;
        };
        let price = match result {
            Ok(_) => state.usual.price(&running.model, taken),
            Err(_) => taken,
        };
        state.queue.finish(running.owner, price);
        let result = match result {
            Ok(answer) => {
                state.usual.count(&running.model, answer.engine_time);
                Ok(answer)
            }
            Err(_) if state.closed => Err(EngineError::ShuttingDown),
            Err(_) if running.asked => Err(running.timed_out()),
            Err(error) => Err(error),
        };
        self.watch.notify_one();
        drop(state);
        (running.done)(result);
        true
    }

    /// Gives a worker up that does not come back; answers whom to tell what.
    pub(super) fn give_up(&self, state: &mut State, id: WorkerId) -> Option<(Done, EngineError)> {
        let running = state.running.remove(&id)?;
        // Nobody joins it: it ends when its call comes back, or with the process.
        drop(state.workers.remove(&id));
        state.queue.finish(running.owner, running.begun.elapsed());
        state.stuck.insert(id, running.model.clone());
        let error = if state.closed { EngineError::ShuttingDown } else { running.timed_out() };
        Some((running.done, error))
    }

    /// Takes nothing new and asks what runs to stop; answers the jobs that wait.
    pub(super) fn close(&self) -> Vec<Job> {
        let mut state = self.lock();
        state.closed = true;
        for running in state.running.values_mut() {
            running.ask(self.config.limits.grace);
        }
        self.work.notify_all();
        self.watch.notify_one();
        state.queue.drain()
    }

    /// The workers that have ended or are about to, when the pool has closed and nothing runs.
    pub(super) fn dismissed(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.lock().workers).into_values().collect()
    }

    /// Waits until something has begun or ended, or until `deadline`.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match deadline {
            None => self.watch.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let waited = self.watch.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Asks it to stop, once; answers whether that could be done.
    pub(super) fn ask(&mut self, grace: Duration) -> bool {
        if self.asked {
            return false;
        }
        self.asked = true;
        self.deadline = Instant::now() + grace;
        // Under the roster's lock, so that it reaches this run and no later one.
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
