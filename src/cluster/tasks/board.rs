//! The tasks that a server has given to the workers of its cluster, and has no answer to.
//!
//! A task waits in the queue of this server, which is fair between sessions, until the workers have room for it. Then it is
//! offered to them, by a notice without the samples; a worker fetches the input and delivers the stems ([`answers`]). Several may
//! do so where one of them has been slow. The first answer is taken.

mod answers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::key::{TaskExecution, TaskKey};
use super::known_workers::KnownWorkers;
use super::open_task::{OpenTask, TaskCounts};
use super::queue::{QueuedTask, TaskQueue};
use crate::engine::EngineError;
use crate::engine::pool::{ClusterState, FairQueue, OwnerId, Task, TaskTotals};
use crate::trace::TraceContext;

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
            let room = self.workers.lanes(std::slice::from_ref(execution)) * 2;
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
        let key = TaskKey { session: owner, epoch: state.take_epoch(), segment };
        let task = OpenTask {
            key,
            execution: execution.clone(),
            model,
            mix: Arc::new(vec![mix]),
            options,
            isolated,
            cancelled,
            on_done,
            fetches: 0,
            failures: 0,
            failed_at: None,
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
    /// An epoch that no task has had.
    fn take_epoch(&mut self) -> u64 {
        self.next_epoch += 1;
        self.next_epoch - 1
    }
}

#[cfg(test)]
mod tests;
