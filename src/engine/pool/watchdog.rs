//! Enforces the time limits of running tasks.
//!
//! An engine past its deadline is asked to stop. If it does not stop within the grace period, its worker is abandoned:
//! the task is answered, a new worker is started, and the old thread is left alone, because a thread cannot be killed.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::pool::local_dispatcher::{LocalDispatcher, WorkerId};
use crate::engine::pool::worker;

/// Runs until the pool is closed and idle.
pub(super) fn run(dispatcher: &Arc<LocalDispatcher>) {
    let mut state = dispatcher.lock();
    while !(state.closed && state.running.is_empty()) {
        let now = Instant::now();
        let late: Vec<WorkerId> = state
            .running
            .iter()
            .filter(|(_, running)| running.deadline <= now)
            .map(|(&id, _)| id)
            .collect();
        let mut abandoned = Vec::new();
        for id in late {
            let grace = dispatcher.config().limits.grace;
            if !state.running.get_mut(&id).is_some_and(|running| running.request_stop(grace)) {
                abandoned.extend(dispatcher.abandon(&mut state, id));
            }
        }
        if abandoned.is_empty() {
            let next = state.running.values().map(|running| running.deadline).min();
            state = dispatcher.wait(state, next);
            continue;
        }
        let closed = state.closed;
        drop(state);
        for (on_done, error) in abandoned {
            tracing::error!(%error, "worker thread hangs and is abandoned");
            if !closed && let Err(error) = worker::spawn(dispatcher) {
                tracing::error!(%error, "cannot start a replacement worker");
            }
            on_done(Err(error));
        }
        state = dispatcher.lock();
    }
}
