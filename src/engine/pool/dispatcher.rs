//! The seam between those who need segments computed and what computes them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::remote_workers::ClusterState;
use crate::audio::Stereo;
use crate::engine::{EngineError, EngineIdentity, EngineOptions, SeparatedSegment};
use crate::model::{Model, ModelName};

/// Owner of tasks; engine time is shared between owners. A session uses its id.
pub type OwnerId = u128;

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
    /// The engine that must compute it, where there are several: one of [`Dispatcher::engines`]. `None` for the first of them.
    pub engine: Option<EngineIdentity>,
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

    /// Segments that are computed at a time by this engine of `model`.
    fn lanes_of(&self, model: &Model, engine: &EngineIdentity) -> usize {
        let _ = (model, engine);
        self.lanes()
    }

    /// Whether it tries a task once more that has failed, on another machine where there is one, before it answers.
    fn retries(&self) -> bool {
        false
    }

    /// The engines that compute `model` now, the preferred one first. None where no machine has it.
    fn engines(&self, model: &Model) -> Vec<EngineIdentity>;

    /// The engine that computes `member` where `engine` computes an ensemble of it and others.
    fn member_engine(&self, member: &Model, engine: &EngineIdentity) -> Option<EngineIdentity> {
        let _ = engine;
        self.engines(member).into_iter().next()
    }

    /// How long no machine has had `engine`, or any engine of `model` if none is named. Zero while one has it.
    fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration;

    /// The other machines, if they compute.
    fn cluster(&self) -> Option<ClusterState> {
        None
    }
}
