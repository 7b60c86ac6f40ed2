//! What workers do with the tasks that are offered: they fetch the input, and deliver stems or a failure.
//!
//! A task that fails is offered once more, to another worker if there is one. If it fails again, it is the task or its model that
//! fails, not a worker. A worker that cannot load the model has not failed on the task, as long as there are others. A task that
//! ends its workers has failed nowhere: it ends as if something had killed the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{BoardState, TaskBoard};
use crate::audio::Stereo;
use crate::cluster::tasks::key::{TaskExecution, TaskKey};
use crate::cluster::tasks::open_task::{ExpectedStems, FetchedTask, OpenTask, TaskRefusal};
use crate::engine::{EngineError, SeparatedSegment};

/// Workers that may take a task without an answer, before it ends: each of them was stopped, lost or ended by it.
const MOST_FETCHES: u32 = 6;

/// Workers that take a task without an answer before the next one computes it in a process of its own, which shows whether it
/// is the task that ends them.
const FETCHES_UNISOLATED: u32 = 2;

/// Answered tasks that are remembered, for the error of later answers.
const REMEMBERED: usize = 1024;

impl TaskBoard {
    /// The input of a task, for a worker.
    ///
    /// # Errors
    /// [`TaskRefusal::Unknown`], [`TaskRefusal::Answered`], [`TaskRefusal::PassedOver`].
    pub fn fetch(&self, key: TaskKey, worker: &str) -> Result<FetchedTask, TaskRefusal> {
        let mut state = self.lock();
        let Some(task) = state.offered.get_mut(&key) else { return Err(state.refusal(key)) };
        if task.cancelled.load(Ordering::Relaxed) {
            drop(state);
            self.end(key, Err(EngineError::Cancelled), Duration::ZERO)?;
            return Err(TaskRefusal::Unknown);
        }
        let admitted = self.workers.admit(worker, &task.execution, task.failed_at.as_deref());
        admitted.map_err(|pause| TaskRefusal::PassedOver { pause })?;
        if task.fetches >= MOST_FETCHES {
            let model = task.model.card().name.to_string();
            tracing::warn!(model, task = %key, "{MOST_FETCHES} workers took a segment without an answer");
            drop(state);
            self.end(key, Err(EngineError::Killed { model }), Duration::ZERO)?;
            return Err(TaskRefusal::Answered);
        }
        let isolated = task.isolated || task.fetches >= FETCHES_UNISOLATED;
        task.fetches += 1;
        // What has failed was taken before.
        let is_first = task.fetches == 1 && task.failed_at.is_none();
        let (is_retaken, waited) = (task.fetches > 1, task.submitted.elapsed());
        let (mix, options) = (Arc::clone(&task.mix), task.options.clone());
        let fetched = FetchedTask { mix, options, isolated, trace: task.trace.clone() };
        let totals = &mut state.totals;
        if is_first {
            (totals.taken, totals.waited) = (totals.taken + 1, totals.waited + waited);
        }
        totals.retaken += u64::from(is_retaken);
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

    /// Takes the answer of a worker.
    ///
    /// # Errors
    /// [`TaskRefusal::Unknown`], [`TaskRefusal::Answered`], [`TaskRefusal::WrongStems`].
    pub fn deliver(
        &self,
        key: TaskKey,
        worker: &str,
        result: Result<SeparatedSegment, EngineError>,
    ) -> Result<(), TaskRefusal> {
        let state = self.lock();
        let task = state.offered.get(&key).ok_or_else(|| state.refusal(key))?;
        if let Ok(segment) = &result
            && !fits(segment, &task.expected())
        {
            return Err(TaskRefusal::WrongStems);
        }
        let error = result.as_ref().err();
        let (execution, mix) = (task.execution.clone(), Arc::clone(&task.mix));
        let failures = error.and_then(|error| self.failures_if_retried(task, worker, error));
        drop(state);
        let is_of_input = |error: &EngineError| mix.iter().any(|mix| error.is_of_input(mix));
        if !error.is_some_and(is_of_input) {
            self.workers.note(worker, &execution, error);
        }
        if let Some(failures) = failures {
            return self.offer_again(key, worker, failures);
        }
        let cost = result.as_ref().map_or(Duration::ZERO, |segment| segment.engine_time);
        self.end(key, result, cost)
    }

    /// How often a task has failed that has failed at `worker` and is tried once more; `None` if it is not.
    fn failures_if_retried(
        &self,
        task: &OpenTask,
        worker: &str,
        error: &EngineError,
    ) -> Option<u32> {
        let has_other = self.workers.has_other(worker, &task.execution);
        match error {
            // The worker has failed before it had a look at the task.
            _ if error.is_model_unusable() && has_other => Some(task.failures),
            _ if task.failures > 0 => None,
            // In a process of its own, after other workers have given no answer.
            EngineError::Crashed { .. } => None,
            // A worker alone still lacks what it lacks.
            EngineError::Killed { .. } if !has_other => None,
            _ if error.is_shortage() && !has_other => None,
            _ => Some(task.failures + 1),
        }
    }

    /// Offers a task once more, which has failed at `worker`.
    fn offer_again(&self, key: TaskKey, worker: &str, failures: u32) -> Result<(), TaskRefusal> {
        let mut state = self.lock();
        let task = state.offered.remove(&key).ok_or_else(|| state.refusal(key))?;
        state.note_answered(key);
        let again = TaskKey { epoch: state.take_epoch(), ..key };
        let failed_at = Some(worker.to_owned());
        let task = OpenTask { key: again, failed_at, failures, fetches: 0, ..task };
        let queued = task.queued();
        state.offered.insert(again, task);
        drop(state);
        self.queue.withdraw(key);
        self.queue.offer(queued);
        Ok(())
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
        state.finish(&task.execution, key, cost);
        state.note_answered(key);
        drop(state);
        self.queue.withdraw(key);
        (task.on_done)(result);
        self.offer();
        Ok(())
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

    fn note_answered(&mut self, key: TaskKey) {
        self.answered.push_back(key);
        if self.answered.len() > REMEMBERED {
            self.answered.pop_front();
        }
    }

    /// Adds the cost of a task that was taken from those that wait to its session.
    fn finish(&mut self, execution: &TaskExecution, key: TaskKey, cost: Duration) {
        if let Some(tasks) = self.waiting.get_mut(execution) {
            tasks.finish(key.session, cost);
        }
    }
}

/// Whether stems are those of the model.
fn fits(segment: &SeparatedSegment, expected: &ExpectedStems) -> bool {
    let ExpectedStems { stems, frames, .. } = expected;
    let has_frames = |stem: &Stereo| stem.len() == *frames;
    segment.stems.len() == *stems && segment.stems.iter().all(has_frames)
}
