//! A place among the segments that a worker computes at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place that a task has only while it is to be computed.
#[derive(Debug)]
pub struct Lane {
    lanes: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Lane {
    /// A place, if there is a free one.
    pub fn free(lanes: &Arc<Semaphore>) -> Option<Lane> {
        let held = Arc::clone(lanes).try_acquire_owned().ok()?;
        Some(Lane { lanes: Arc::clone(lanes), held: Some(held) })
    }

    /// One that is taken later.
    pub fn later(lanes: &Arc<Semaphore>) -> Lane {
        Lane { lanes: Arc::clone(lanes), held: None }
    }

    /// Waits for a place, unless the task has one.
    pub(super) async fn take(&mut self) {
        if self.held.is_none() {
            // It fails only if the places are closed, which they never are.
            self.held = Arc::clone(&self.lanes).acquire_owned().await.ok();
        }
    }

    /// Gives the place to another task.
    pub(super) fn leave(&mut self) {
        self.held = None;
    }
}
