//! What a worker has computed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a worker computes, and has computed since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Segments that it computes at a time.
    pub lanes: usize,
    /// Tasks that it has now.
    pub computing: usize,
    /// Segments that it has computed, and the time that took, by model.
    pub segments: BTreeMap<String, (u64, Duration)>,
    /// Segments on which an engine has failed.
    pub failures: u64,
    /// Tasks whose owner could not be reached.
    pub unreachable: u64,
}

/// Counts what a worker computes.
#[derive(Debug, Default)]
pub(super) struct WorkerCounts(Mutex<WorkerStatus>);

impl WorkerCounts {
    /// What has been counted, for a worker of so many lanes.
    pub(super) fn status(&self, lanes: usize) -> WorkerStatus {
        WorkerStatus { lanes, ..self.lock().clone() }
    }

    /// A task begins, and ends when what is returned is dropped.
    pub(super) fn begin(&self) -> CountedTask<'_> {
        self.lock().computing += 1;
        CountedTask(self)
    }

    /// A segment was computed.
    pub(super) fn computed(&self, model: &str, taken: Duration) {
        let mut status = self.lock();
        let (segments, time) = status.segments.entry(model.to_owned()).or_default();
        (*segments, *time) = (*segments + 1, *time + taken);
    }

    /// An engine has failed.
    pub(super) fn failed(&self) {
        self.lock().failures += 1;
    }

    /// An owner could not be reached.
    pub(super) fn unreachable(&self) {
        self.lock().unreachable += 1;
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that a worker has.
pub(super) struct CountedTask<'a>(&'a WorkerCounts);

impl Drop for CountedTask<'_> {
    fn drop(&mut self) {
        self.0.lock().computing -= 1;
    }
}
