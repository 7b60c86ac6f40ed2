//! Sees that no engine works on a segment for too long.
//!
//! One that does is asked to stop. One that does not listen is given up: its job is answered, another
//! worker takes its place, and the thread is left to itself, because nothing can end it.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::pool::dispatcher::{Roster, WorkerId};

/// Watches until the pool has closed and nothing runs any more.
pub(super) fn run(roster: &Arc<Roster>) {
    let mut state = roster.lock();
    while !(state.closed && state.running.is_empty()) {
        let now = Instant::now();
        let late: Vec<WorkerId> = state
            .running
            .iter()
            .filter(|(_, running)| running.deadline <= now)
            .map(|(&id, _)| id)
            .collect();
        let mut given_up = Vec::new();
        for id in late {
            let grace = roster.config().limits.grace;
            if !state.running.get_mut(&id).is_some_and(|running| running.ask(grace)) {
                given_up.extend(roster.give_up(&mut state, id));
            }
        }
        if given_up.is_empty() {
            let next = state.running.values().map(|running| running.deadline).min();
            state = roster.wait(state, next);
            continue;
        }
        let closed = state.closed;
        drop(state);
        for (done, error) in given_up {
            tracing::error!(%error, "a worker hangs; its thread is given up");
            if !closed && let Err(error) = roster.hire() {
                tracing::error!(%error, "and nobody can take its place");
            }
            done(Err(error));
        }
        state = roster.lock();
    }
}
