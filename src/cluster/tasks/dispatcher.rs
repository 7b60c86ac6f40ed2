//! The tasks of a server as what its pool gives them to.

use std::sync::Arc;
use std::time::Duration;

use super::board::TaskBoard;
use super::key::TaskExecution;
use crate::engine::EngineIdentity;
use crate::engine::pool::{ClusterState, Dispatcher, OwnerId, Task};
use crate::model::{Model, ModelName};

/// Gives tasks to the workers of a cluster. Dropping it answers what is open with
/// [`EngineError::ShuttingDown`](crate::engine::EngineError::ShuttingDown).
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
        self.0.workers().all().iter().map(|worker| worker.lanes).sum()
    }

    fn lanes_of(&self, engine: &EngineIdentity) -> usize {
        self.0.workers().lanes_of(&TaskExecution::of(engine))
    }

    fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        self.0.workers().engines(model)
    }

    fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        self.0.workers().absent(model, engine)
    }

    fn cluster(&self) -> Option<ClusterState> {
        Some(self.0.cluster())
    }
}

impl Drop for BoardDispatcher {
    fn drop(&mut self) {
        self.0.close();
    }
}
