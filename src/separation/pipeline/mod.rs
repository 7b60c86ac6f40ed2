//! The pipeline of one session: from its upload to its stems.
//!
//! Each open session has a thread that executes [`run()`]. It submits segments to the worker threads as soon as their
//! frames are decoded ([`in_flight`]), takes the results in order, and commits each before the next ([`output`]): stem
//! frames, then overlap state, then the manifest that names both. After a crash between two commits the next server
//! continues from the last one and produces the same bytes. Segments are submitted ([`submission`]) only while the run has
//! a [`slot`].
//!
//! The [`active_engine`] computes; [`engine_choice`] keeps it the same as far as possible. What follows a failed segment is
//! decided in [`segment_failure`]; the switch to the next engine of the chain is in [`fallback`]. Committed frames that turn
//! out to be damaged are computed again ([`recompute`]).

mod active_engine;
mod engine_choice;
mod fallback;
mod in_flight;
mod output;
mod recompute;
mod run;
mod segment_failure;
mod slot;
mod submission;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::observer::Observer;
use crate::engine::Chain;
use crate::engine::pool::Pool;
use crate::files::allocated_bytes;
use crate::model::AvailableModels;
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::DecoderConfig;
use crate::session::disk_space::SpaceGuard;
use crate::session::{Failure, Session};

use run::{Run, STALL_CHECKS};

pub(super) use active_engine::Cut;
pub(super) use engine_choice::engine_of;
pub use fallback::reason_of;
pub(super) use fallback::{Cause, has_engine};
pub(super) use output::CompleteStems;
pub(super) use recompute::can_recompute;
pub(super) use slot::Slot;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RunOutcome {
    /// The stems are complete; the manifest does not record it yet.
    Done(CompleteStems),
    /// It was asked to stop, or the engines are shutting down.
    Stopped,
    /// It cannot continue as long as a resource of the server is short.
    Delayed(Failure),
    /// It cannot continue.
    Failed(Failure),
}

/// Shared by all pipelines.
pub(super) struct Context {
    pub(super) pool: Pool,
    pub(super) models: AvailableModels,
    pub(super) chain: Arc<Chain>,
    pub(super) decoder: DecoderConfig,
    /// Limit of the track's duration.
    pub(super) max_track: Duration,
    /// Limits the disk space that the sessions use.
    pub(super) space: Arc<SpaceGuard>,
    /// Limit of the track's size in relation to that of its upload.
    pub(super) max_expansion: u64,
    /// Receives events for metrics.
    pub(super) observer: OnceLock<Arc<dyn Observer>>,
}

impl Context {
    /// Reports an event to the observer, if there is one.
    pub(super) fn emit(&self, event: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = self.observer.get() {
            event(observer.as_ref());
        }
    }
}

/// Killed processes, without a commit in between, after which a session fails.
const MOST_KILLS: u32 = 5;

/// Runs a session's pipeline until it is done, fails, or is asked to stop.
pub(super) fn run(session: &Arc<Session>, context: &Context, slot: &dyn Slot) -> RunOutcome {
    let result = loop {
        if !slot::wait_for_bytes(session, slot, context.decoder.stall / STALL_CHECKS) {
            break Ok(RunOutcome::Stopped);
        }
        let worked = Run::open(session, context, slot).and_then(|mut run| run.work());
        match worked.transpose() {
            // Opening finds damage of committed frames, too.
            None => {}
            Some(result) => break result,
        }
    };
    // Tasks whose results are no longer needed must not occupy worker threads.
    context.pool.remove(session.id().as_u128());
    match result {
        Ok(outcome) => outcome,
        Err(failure) if failure.reason == ErrorReason::ProcessKilled => killed(session, failure),
        Err(failure) if failure.is_temporary() => RunOutcome::Delayed(match failure.reason {
            ErrorReason::DiskFull | ErrorReason::StorageFull => give_back_track(session, failure),
            _ => failure,
        }),
        Err(failure) => RunOutcome::Failed(failure),
    }
}

/// Counts that a process of the session was killed, and delays the session, or fails it after [`MOST_KILLS`].
fn killed(session: &Session, failure: Failure) -> RunOutcome {
    let counted = session.update(|manifest| manifest.kills += 1);
    let kills = session.manifest().kills;
    if counted.is_ok() && kills >= MOST_KILLS {
        return RunOutcome::Failed(failure.with("kills", kills));
    }
    RunOutcome::Delayed(failure)
}

/// Removes the decoded track of a session that found the disk full, so that other sessions can use its space. It is decoded
/// again from the upload, so that the session needs this space, too.
fn give_back_track(session: &Session, failure: Failure) -> Failure {
    let track = session.layout().track();
    let bytes = std::fs::metadata(&track).map_or(0, |metadata| allocated_bytes(&metadata));
    // If it cannot be removed, the decoder continues after what is committed of it.
    let _ = std::fs::remove_file(track);
    session.measure();
    failure.needing_more(bytes)
}

fn storage(error: io::Error) -> Failure {
    Failure::of_storage(&error)
}
