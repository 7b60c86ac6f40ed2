//! The tasks that a server has given to the workers of its cluster, and has no answer to.
//!
//! A task waits in the queue of this server, which is fair between sessions, until the workers have room for it. Then it is
//! offered to them, by a notice without the samples; a worker fetches the input and delivers the stems. Several may do so where
//! one of them has been slow. The first answer is taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::key::{TaskExecution, TaskKey};
use super::known_workers::KnownWorkers;
use super::open_task::{ExpectedStems, FetchedTask, OpenTask, TaskCounts, TaskRefusal};
use super::queue::{QueuedTask, TaskQueue};
use crate::audio::Stereo;
use crate::engine::pool::{ClusterState, FairQueue, OwnerId, Task, TaskTotals};
use crate::engine::{EngineError, SeparatedSegment};
use crate::trace::TraceContext;

/// Workers that may take a task without an answer, before it fails: each of them was stopped, lost or ended by it.
const MOST_FETCHES: u32 = 6;

/// Workers that take a task without an answer before the next one computes it in a process of its own, which shows whether it
/// is the task that ends them.
const FETCHES_UNISOLATED: u32 = 2;

/// Answered tasks that are remembered, for the error of later answers.
const REMEMBERED: usize = 1024;

/// The tasks of a server; a dispatcher, by [`BoardDispatcher`](super::BoardDispatcher).
pub struct TaskBoard {
    queue: Box<dyn TaskQueue>,
    workers: Arc<KnownWorkers>,
    state: Mutex<BoardState>,
}

#[derive(Default)]
struct BoardState {
    /// By execution, so that those of one that has no workers keep no room from others.
    waiting: BTreeMap<TaskExecution, FairQueue<OwnerId, OpenTask>>,
    offered: BTreeMap<TaskKey, OpenTask>,
    next_epoch: u64,
    answered: VecDeque<TaskKey>,
    totals: TaskTotals,
    closed: bool,
}

impl TaskBoard {
    /// Offers tasks by `queue`, as many as `workers` have room for. `epoch` must be higher than those of earlier boards.
    pub fn new(queue: Box<dyn TaskQueue>, workers: Arc<KnownWorkers>, epoch: u64) -> TaskBoard {
        let state = BoardState { next_epoch: epoch, ..BoardState::default() };
        TaskBoard { queue, workers, state: Mutex::new(state) }
    }

    /// The first epoch of a board that is made now: no earlier one of this server has come so far.
    pub fn first_epoch() -> u64 {
        /// Most tasks that a board submits in a millisecond, by far.
        const PER_MS: u64 = 1 << 10;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(0).saturating_mul(PER_MS)
    }

    /// The input of a task, for a worker.
    ///
    /// # Errors
    /// [`TaskRefusal::Unknown`], [`TaskRefusal::Answered`].
    pub fn fetch(&self, key: TaskKey) -> Result<FetchedTask, TaskRefusal> {
        let mut state = self.lock();
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
        let (is_first, waited) = (task.fetches == 1, task.submitted.elapsed());
        let (mix, options) = (Arc::clone(&task.mix), task.options.clone());
        let fetched = FetchedTask { mix, options, isolated, trace: task.trace.clone() };
        let totals = &mut state.totals;
        match is_first {
            true => (totals.taken, totals.waited) = (totals.taken + 1, totals.waited + waited),
            false => totals.retaken += 1,
        }
        Ok(fetched)
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
        let state = self.lock();
        let waiting = state.waiting.values().map(FairQueue::len).sum();
        TaskCounts { waiting, offered: state.offered.len() }
    }

    /// The workers.
    pub(super) fn workers(&self) -> &KnownWorkers {
        &self.workers
    }

    /// The workers, and what they have to do.
    pub(super) fn cluster(&self) -> ClusterState {
        let (workers, waiting) = (self.workers.all(), self.counts().waiting);
        let (queued, requeued) = (self.queue.depth(), self.queue.lost());
        let state = self.lock();
        let tasks = state.waiting.values().flat_map(FairQueue::waiting);
        let tasks = tasks.chain(state.offered.values());
        let oldest = tasks.map(|task| task.submitted.elapsed()).max().unwrap_or_default();
        let totals = TaskTotals { requeued, ..state.totals };
        ClusterState { workers, queued, waiting, oldest, totals }
    }

    /// The workers have changed: there may be room for more.
    pub fn workers_changed(&self) {
        self.offer();
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
        state.finish(&task.execution, key.session, cost);
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
        while let Some(next) = self.offer_next() {
            match next {
                Ok(queued) => self.queue.offer(queued),
                Err(cancelled) => (cancelled.on_done)(Err(EngineError::Cancelled)),
            }
        }
    }

    /// The next task of an execution whose workers have room, which is offered from now on; or one that is cancelled.
    fn offer_next(&self) -> Option<Result<QueuedTask, OpenTask>> {
        let mut state = self.lock();
        let BoardState { waiting, offered, closed, .. } = &mut *state;
        let mut waiting = waiting.iter_mut().filter(|(_, tasks)| !*closed && tasks.len() > 0);
        let (tasks, (owner, task)) = waiting.find_map(|(execution, tasks)| {
            // As many again as are computed, so that no worker waits for the next.
            let room = self.workers.lanes_of(execution) * 2;
            let taken = offered.values().filter(|task| task.execution == *execution).count();
            let next = (taken < room).then(|| tasks.pop()).flatten()?;
            Some((tasks, next))
        })?;
        if task.cancelled.load(Ordering::Relaxed) {
            tasks.finish(owner, Duration::ZERO);
            return Some(Err(task));
        }
        let queued = task.queued();
        offered.insert(task.key, task);
        Some(Ok(queued))
    }

    pub(super) fn submit(&self, owner: OwnerId, task: Task) {
        let Task { model, segment, mix, options, isolated, engine, cancelled, on_done, .. } = task;
        if model.ensemble().is_some() {
            // Its members may be on different workers.
            let reason = "workers compute no ensembles".to_owned();
            return on_done(Err(EngineError::Load {
                model: model.card().name.to_string(),
                reason,
            }));
        }
        let Some(engine) = engine.or_else(|| self.workers.engines(&model).into_iter().next())
        else {
            let model = model.card().name.to_string();
            let reason = "no worker has it".to_owned();
            return on_done(Err(EngineError::SystemLimit { model, reason }));
        };
        let execution = TaskExecution::of(&engine);
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return on_done(Err(EngineError::ShuttingDown));
        }
        let epoch = state.next_epoch;
        state.next_epoch += 1;
        let (key, mix) = (TaskKey { session: owner, epoch, segment }, Arc::new(vec![mix]));
        let task = OpenTask {
            key,
            execution: execution.clone(),
            model,
            mix,
            options,
            isolated,
            cancelled,
            on_done,
            fetches: 0,
            submitted: Instant::now(),
            trace: TraceContext::current(),
        };
        state.waiting.entry(execution).or_default().push(owner, task);
        drop(state);
        self.offer();
    }

    pub(super) fn remove(&self, owner: OwnerId) {
        let mut state = self.lock();
        let waiting = state.waiting.values_mut();
        let mut removed: Vec<_> = waiting.flat_map(|tasks| tasks.remove(owner)).collect();
        let first = TaskKey { session: owner, epoch: 0, segment: 0 };
        let last = TaskKey { session: owner, epoch: u64::MAX, segment: u64::MAX };
        let offered: Vec<_> = state.offered.range(first..=last).map(|(&key, _)| key).collect();
        removed.extend(offered.iter().filter_map(|key| state.offered.remove(key)));
        drop(state);
        offered.into_iter().for_each(|key| self.queue.withdraw(key));
        removed.into_iter().for_each(|task| (task.on_done)(Err(EngineError::Cancelled)));
        self.offer();
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting).into_values();
        let mut removed: Vec<_> = waiting.flat_map(|mut tasks| tasks.drain()).collect();
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

    /// Adds the cost of a task that was taken from those that wait to its session.
    fn finish(&mut self, execution: &TaskExecution, owner: OwnerId, cost: Duration) {
        if let Some(tasks) = self.waiting.get_mut(execution) {
            tasks.finish(owner, cost);
        }
    }
}

#[cfg(test)]
mod tests;
