//! The tasks of a server as what its pool gives them to.

use std::sync::Arc;
use std::time::Duration;

use super::board::TaskBoard;
use super::ensembles::EnsembleThreads;
use crate::engine::EngineIdentity;
use crate::engine::pool::{ClusterState, Dispatcher, OwnerId, Task};
use crate::model::{Model, ModelName};

/// Gives tasks to the workers of a cluster. Dropping it answers what is open with
/// [`EngineError::ShuttingDown`](crate::engine::EngineError::ShuttingDown).
pub struct BoardDispatcher {
    board: Arc<TaskBoard>,
    ensembles: EnsembleThreads,
}

impl BoardDispatcher {
    /// Gives the tasks on `board`.
    pub fn new(board: Arc<TaskBoard>) -> BoardDispatcher {
        BoardDispatcher { board, ensembles: EnsembleThreads::default() }
    }
}

impl Dispatcher for BoardDispatcher {
    fn submit(&self, owner: OwnerId, task: Task) {
        match task.model.ensemble() {
            Some(_) => self.ensembles.begin(&self.board, owner, task),
            None => self.board.submit(owner, task),
        }
    }

    fn remove(&self, owner: OwnerId) {
        self.board.remove(owner);
    }

    fn has_abandoned_worker(&self, _: &ModelName) -> bool {
        // Those of other machines are theirs.
        false
    }

    fn lanes(&self) -> usize {
        self.board.workers().all().iter().map(|worker| worker.lanes).sum()
    }

    fn lanes_of(&self, model: &Model, engine: &EngineIdentity) -> usize {
        self.board.workers().lanes_of(model, engine)
    }

    fn retries(&self) -> bool {
        true
    }

    fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        self.board.workers().engines(model)
    }

    fn member_engine(&self, member: &Model, engine: &EngineIdentity) -> Option<EngineIdentity> {
        self.board.workers().member_engine(member, engine)
    }

    fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        self.board.workers().absent(model, engine)
    }

    fn cluster(&self) -> Option<ClusterState> {
        Some(self.board.cluster())
    }
}

impl Drop for BoardDispatcher {
    fn drop(&mut self) {
        self.board.close();
        self.ensembles.join();
    }
}
