//! The tasks that a server has given to the workers of its cluster, and has no answer to.
//!
//! A task waits in the queue of this server, which is fair between sessions, until the workers have room for it. Then it is
//! offered to them, by a notice without the samples; a worker fetches the input and delivers the stems. Several may do so where
//! one of them has been slow. The first answer is taken.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::key::{TaskExecution, TaskKey};
use super::open_task::{ExpectedStems, FetchedTask, OpenTask, TaskCounts, TaskRefusal};
use super::queue::{QueuedTask, TaskQueue};
use crate::audio::Stereo;
use crate::engine::pool::{Dispatcher, FairQueue, OwnerId, Task};
use crate::engine::{EngineError, SeparatedSegment};
use crate::model::{Model, ModelName};

/// Workers that may take a task without an answer, before it fails: each of them was stopped, lost or ended by it.
const MOST_FETCHES: u32 = 6;

/// Workers that take a task without an answer before the next one computes it in a process of its own, which shows whether it
/// is the task that ends them.
const FETCHES_UNISOLATED: u32 = 2;

/// Time for which a worker that has fetched a task counts.
const WORKER_TIME: Duration = Duration::from_secs(120);

/// Segments that are assumed to be computed at a time before a worker has fetched a task.
const LEAST_LANES: usize = 2;

/// Answered tasks that are remembered, for the error of later answers.
const REMEMBERED: usize = 1024;

/// How the workers of a model execute it.
pub type ExecutionOf = dyn Fn(&Model) -> TaskExecution + Send + Sync;

/// The tasks of a server; a [`Dispatcher`], by [`BoardDispatcher`].
pub struct TaskBoard {
    queue: Box<dyn TaskQueue>,
    execution: Box<ExecutionOf>,
    state: Mutex<BoardState>,
}

#[derive(Default)]
struct BoardState {
    waiting: FairQueue<OwnerId, OpenTask>,
    offered: BTreeMap<TaskKey, OpenTask>,
    next_epoch: u64,
    answered: VecDeque<TaskKey>,
    workers: HashMap<String, SeenWorker>,
    closed: bool,
}

struct SeenWorker {
    lanes: usize,
    seen: Instant,
}

impl TaskBoard {
    /// Offers tasks by `queue`, to workers that execute models as `execution` says. `epoch` must be higher than those of earlier
    /// boards.
    pub fn new(queue: Box<dyn TaskQueue>, execution: Box<ExecutionOf>, epoch: u64) -> TaskBoard {
        let state = BoardState { next_epoch: epoch, ..BoardState::default() };
        TaskBoard { queue, execution, state: Mutex::new(state) }
    }

    /// The first epoch of a board that is made now: no earlier one of this server has come so far.
    pub fn first_epoch() -> u64 {
        /// Most tasks that a board submits in a millisecond, by far.
        const PER_MS: u64 = 1 << 10;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(0).saturating_mul(PER_MS)
    }

    /// The input of a task, for a worker that computes `lanes` segments at a time.
    ///
    /// # Errors
    /// [`TaskRefusal::Unknown`], [`TaskRefusal::Answered`].
    pub fn fetch(
        &self,
        key: TaskKey,
        worker: &str,
        lanes: usize,
    ) -> Result<FetchedTask, TaskRefusal> {
        let mut state = self.lock();
        state.workers.insert(worker.to_owned(), SeenWorker { lanes, seen: Instant::now() });
        let Some(task) = state.offered.get_mut(&key) else { return Err(state.refusal(key)) };
        if task.cancelled.load(Ordering::Relaxed) {
            drop(state);
            self.end(key, Err(EngineError::Cancelled), Duration::ZERO)?;
            return Err(TaskRefusal::Unknown);
        }
        if task.fetches >= MOST_FETCHES {
            let model = task.model.card().name.to_string();
            let reason = format!("{MOST_FETCHES} workers took it, and none of them answered");
            drop(state);
            self.end(key, Err(EngineError::Run { model, reason }), Duration::ZERO)?;
            return Err(TaskRefusal::Answered);
        }
        let isolated = task.isolated || task.fetches >= FETCHES_UNISOLATED;
        task.fetches += 1;
        Ok(FetchedTask { mix: Arc::clone(&task.mix), options: task.options.clone(), isolated })
    }

    /// What is to be delivered, unless the task needs no answer any more.
    ///
    /// # Errors
    /// [`TaskRefusal::Unknown`], [`TaskRefusal::Answered`].
    pub fn expected(&self, key: TaskKey) -> Result<ExpectedStems, TaskRefusal> {
        let state = self.lock();
        let task = state.offered.get(&key).ok_or_else(|| state.refusal(key))?;
        Ok(task.expected())
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// [`TaskRefusal`].
    pub fn deliver(
        &self,
        key: TaskKey,
        result: Result<SeparatedSegment, EngineError>,
    ) -> Result<(), TaskRefusal> {
        if let Ok(segment) = &result {
            let ExpectedStems { stems, frames, .. } = self.expected(key)?;
            let fits = |stem: &Stereo| stem.len() == frames;
            if segment.stems.len() != stems || !segment.stems.iter().all(fits) {
                return Err(TaskRefusal::WrongStems);
            }
        }
        let cost = result.as_ref().map_or(Duration::ZERO, |segment| segment.engine_time);
        self.end(key, result, cost)
    }

    /// Numbers of tasks.
    pub fn counts(&self) -> TaskCounts {
        let mut state = self.lock();
        state.forget_workers();
        let (waiting, offered) = (state.waiting.len(), state.offered.len());
        TaskCounts { waiting, offered, workers: state.workers.len() }
    }

    /// Answers a task that is offered.
    fn end(
        &self,
        key: TaskKey,
        result: Result<SeparatedSegment, EngineError>,
        cost: Duration,
    ) -> Result<(), TaskRefusal> {
        let mut state = self.lock();
        let task = state.offered.remove(&key).ok_or_else(|| state.refusal(key))?;
        state.waiting.finish(key.session, cost);
        state.answered.push_back(key);
        if state.answered.len() > REMEMBERED {
            state.answered.pop_front();
        }
        drop(state);
        self.queue.withdraw(key);
        (task.on_done)(result);
        self.offer();
        Ok(())
    }

    /// Offers waiting tasks as far as the workers have room.
    fn offer(&self) {
        loop {
            let mut state = self.lock();
            // As many again as are computed, so that no worker waits for the next.
            let room = state.lanes() * 2;
            if state.closed || state.offered.len() >= room {
                return;
            }
            let Some((owner, task)) = state.waiting.pop() else { return };
            if task.cancelled.load(Ordering::Relaxed) {
                state.waiting.finish(owner, Duration::ZERO);
                drop(state);
                (task.on_done)(Err(EngineError::Cancelled));
                continue;
            }
            let (key, queued) = (task.key, self.queued(&task));
            state.offered.insert(key, task);
            drop(state);
            self.queue.offer(queued);
        }
    }

    fn queued(&self, task: &OpenTask) -> QueuedTask {
        let card = task.model.card();
        QueuedTask {
            key: task.key,
            execution: (self.execution)(&task.model),
            model: card.name.clone(),
            weights: card.weights_hash(),
        }
    }

    fn submit(&self, owner: OwnerId, task: Task) {
        let Task { model, segment, mix, options, isolated, cancelled, on_done, .. } = task;
        if model.ensemble().is_some() {
            // Its members may be on different workers.
            let reason = "workers compute no ensembles".to_owned();
            return on_done(Err(EngineError::Load {
                model: model.card().name.to_string(),
                reason,
            }));
        }
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return on_done(Err(EngineError::ShuttingDown));
        }
        let epoch = state.next_epoch;
        state.next_epoch += 1;
        let (key, mix) = (TaskKey { session: owner, epoch, segment }, Arc::new(vec![mix]));
        let task = OpenTask { key, model, mix, options, isolated, cancelled, on_done, fetches: 0 };
        state.waiting.push(owner, task);
        drop(state);
        self.offer();
    }

    fn remove(&self, owner: OwnerId) {
        let mut state = self.lock();
        let mut removed = state.waiting.remove(owner);
        let first = TaskKey { session: owner, epoch: 0, segment: 0 };
        let last = TaskKey { session: owner, epoch: u64::MAX, segment: u64::MAX };
        let offered: Vec<_> = state.offered.range(first..=last).map(|(&key, _)| key).collect();
        removed.extend(offered.iter().filter_map(|key| state.offered.remove(key)));
        drop(state);
        offered.into_iter().for_each(|key| self.queue.withdraw(key));
        removed.into_iter().for_each(|task| (task.on_done)(Err(EngineError::Cancelled)));
        self.offer();
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let mut removed = state.waiting.drain();
        removed.extend(std::mem::take(&mut state.offered).into_values());
        drop(state);
        removed.iter().for_each(|task| self.queue.withdraw(task.key));
        removed.into_iter().for_each(|task| (task.on_done)(Err(EngineError::ShuttingDown)));
    }

    fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BoardState {
    /// Why there is no task of this name.
    fn refusal(&self, key: TaskKey) -> TaskRefusal {
        match self.answered.contains(&key) {
            true => TaskRefusal::Answered,
            false => TaskRefusal::Unknown,
        }
    }

    fn forget_workers(&mut self) {
        self.workers.retain(|_, worker| worker.seen.elapsed() < WORKER_TIME);
    }

    /// Segments that the workers compute at a time, as far as they have shown themselves.
    fn lanes(&mut self) -> usize {
        self.forget_workers();
        self.workers.values().map(|worker| worker.lanes).sum::<usize>().max(LEAST_LANES)
    }
}

/// Gives tasks to the workers of a cluster. Dropping it answers what is open with [`EngineError::ShuttingDown`].
pub struct BoardDispatcher(pub Arc<TaskBoard>);

impl Dispatcher for BoardDispatcher {
    fn submit(&self, owner: OwnerId, task: Task) {
        self.0.submit(owner, task);
    }

    fn remove(&self, owner: OwnerId) {
        self.0.remove(owner);
    }

    fn has_abandoned_worker(&self, _: &ModelName) -> bool {
        // Those of other machines are theirs.
        false
    }

    fn lanes(&self) -> usize {
        self.0.lock().lanes()
    }
}

impl Drop for BoardDispatcher {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests;
