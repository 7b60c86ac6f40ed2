//! A task without an answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::key::{TaskExecution, TaskKey};
use super::queue::QueuedTask;
use crate::audio::Stereo;
use crate::engine::EngineOptions;
use crate::engine::pool::OnDone;
use crate::model::{Model, ModelName};
use crate::trace::TraceContext;

/// Why a worker gets no input, or its answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// There is none of this name.
    #[error("the task is unknown: it was cancelled, or its owner has submitted it again")]
    Unknown,
    /// Another answer came first.
    #[error("another answer to the task came first")]
    Answered,
    /// Another worker is to compute it.
    #[error("another worker is to compute the task")]
    PassedOver {
        /// For how long this one gets no task of the model, on which it fails. Zero if it has failed on this task only.
        pause: Duration,
    },
    /// The stems are not those of the model.
    #[error("the stems have another number or length than those of the model")]
    WrongStems,
}

/// The input of a task.
#[derive(Debug, Clone)]
pub struct FetchedTask {
    /// The segment.
    pub mix: Arc<Vec<Stereo>>,
    /// Options for the engine.
    pub options: EngineOptions,
    /// Whether to compute it in a process of its own.
    pub isolated: bool,
    /// Where it is in its trace.
    pub trace: TraceContext,
}

/// What a worker is to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStems {
    /// The model.
    pub model: ModelName,
    /// Number of stems.
    pub stems: usize,
    /// Frames of each.
    pub frames: usize,
}

/// Numbers of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCounts {
    /// Tasks that wait for room in the queue.
    pub waiting: usize,
    /// Tasks in the queue or at workers.
    pub offered: usize,
}

/// A task without an answer, and what is done with one.
pub(super) struct OpenTask {
    pub(super) key: TaskKey,
    pub(super) execution: TaskExecution,
    pub(super) model: Arc<Model>,
    pub(super) mix: Arc<Vec<Stereo>>,
    pub(super) options: EngineOptions,
    pub(super) isolated: bool,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) on_done: OnDone,
    /// Workers that have taken it without an answer.
    pub(super) fetches: u32,
    /// How often it has failed.
    pub(super) failures: u32,
    /// The worker at which it has failed last.
    pub(super) failed_at: Option<String>,
    pub(super) submitted: Instant,
    /// Where it is in its trace.
    pub(super) trace: TraceContext,
}

impl OpenTask {
    /// The task as the queue has it.
    pub(super) fn queued(&self) -> QueuedTask {
        let card = self.model.card();
        QueuedTask {
            key: self.key,
            execution: self.execution.clone(),
            model: card.name.clone(),
            weights: card.weights_hash(),
        }
    }

    /// What a worker is to deliver.
    pub(super) fn expected(&self) -> ExpectedStems {
        let card = self.model.card();
        let frames = self.mix.first().map_or(0, Stereo::len);
        ExpectedStems { model: card.name.clone(), stems: card.stems.len(), frames }
    }
}
