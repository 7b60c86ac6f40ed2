//! The pipeline of one session: from its upload to its stems.
//!
//! Each open session has a thread that executes [`run`]. It submits segments to the worker threads as soon as their
//! frames are decoded ([`in_flight`]), takes the results in order, and commits each before the next ([`output`]): stem
//! frames, then overlap state, then the manifest that names both. After a crash between two commits the next server
//! continues from the last one and produces the same bytes. Segments are submitted ([`submission`]) only while the run has
//! a [`slot`].
//!
//! The [`active_engine`] computes; after repeated errors the next one of the chain takes over ([`fallback`]). Committed
//! frames that turn out to be damaged are computed again ([`recompute`]).

mod active_engine;
mod fallback;
mod in_flight;
mod output;
mod recompute;
mod slot;
mod submission;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::observer::Observer;
use crate::audio::{Frames, Stereo};
use crate::engine::pool::Pool;
use crate::engine::{Chain, EngineError};
use crate::files::allocated_bytes;
use crate::model::AvailableModels;
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::{DecodePlan, DecoderConfig, DecoderProcess};
use crate::separation::track_file::TrackFileReader;
use crate::session::disk_space::SpaceGuard;
use crate::session::live::FoundDamage;
use crate::session::manifest::Timestamp;
use crate::session::{Failure, Session};

use active_engine::ActiveEngine;
use in_flight::InFlight;
use output::StemOutput;

pub(super) use active_engine::{Cut, engine_of};
pub(super) use fallback::Cause;
pub use fallback::reason_of;
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

/// Delays for lack of an engine's memory, without a commit in between, after which it counts as an error of the engine: they
/// take a minute together, and another engine may need less.
const MOST_MEMORY_WAITS: u32 = 6;

/// Checks for a stalled decoder within the time that makes a stall. Everything else that a run waits for notifies its
/// session.
const STALL_CHECKS: u32 = 60;

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

struct Run<'a> {
    session: &'a Arc<Session>,
    context: &'a Context,
    slot: &'a dyn Slot,
    decoder: DecoderProcess,
    track: TrackFileReader,
    engine: ActiveEngine,
    output: StemOutput,
    /// The next segment to commit.
    next: u64,
    in_flight: InFlight,
    /// The segment at which the next engine begins, where the segments of an earlier one are computed again.
    repeated_until: Option<u64>,
}

impl<'a> Run<'a> {
    fn open(
        session: &'a Arc<Session>,
        context: &'a Context,
        slot: &'a dyn Slot,
    ) -> Result<Run<'a>, Failure> {
        let output = recompute::checked(session, context, || StemOutput::open(session))?;
        let engine = fallback::active_engine(session, context, output.position())?;
        let manifest = session.manifest();
        let (next, repeated_until) = (manifest.commit.segments, manifest.repeated_until());
        let output = output.at_span(&manifest);
        let plan = DecodePlan {
            rate: manifest.plan.model_rate,
            head: manifest.plan.segment,
            safe: manifest.commit.track,
            checksum: manifest.commit.track_crc32c,
            silence: manifest
                .plan
                .silent_passages
                .then(|| manifest.commit.silence.unwrap_or_default()),
            keep_start: manifest.plan.late_start,
            limit: Frames::covering(context.max_track, manifest.plan.model_rate),
            space: Arc::clone(&context.space),
            expansion: context.max_expansion,
        };
        let decoder = DecoderProcess::start(session, &context.decoder, plan)
            .map_err(|error| Failure::of_start("the decoder", &error))?;
        let track = TrackFileReader::open(&session.layout().track()).map_err(storage)?;
        let in_flight = InFlight::from(next);
        Ok(Run {
            session,
            context,
            slot,
            decoder,
            track,
            engine,
            output,
            next,
            in_flight,
            repeated_until,
        })
    }

    /// Works until the run ends, or until it is to be opened again: a reader has found damage, or the next of several engines
    /// begins. Then `None`.
    fn work(&mut self) -> Result<Option<RunOutcome>, Failure> {
        loop {
            let seen = self.session.notifier().version();
            if self.session.stop_requested() {
                return Ok(Some(RunOutcome::Stopped));
            }
            if self.session.found_damage() == FoundDamage::ToRecompute {
                return Ok(None);
            }
            let decoded = self.decoder.progress();
            if let Some(failure) = decoded.failure {
                return Err(failure);
            }
            let (can_compute, has_slot) =
                (self.next_segment(&decoded).is_some(), self.slot.is_held());
            // Without a slot it decodes what it needs to claim one.
            self.decoder.hold_back(can_compute && !has_slot);
            if has_slot {
                self.send(&decoded)?;
            }
            match self.in_flight.take(self.next) {
                Some((sent, Ok(answer))) => {
                    if !sent.silent {
                        let name = self.engine.name();
                        self.context.chain.circuit_breakers().succeeded(name);
                        self.context.emit(|observer| observer.separated(name, answer.engine_time));
                    }
                    let mix = if self.engine.needs_mix() {
                        self.track.read(sent.segment.span.clone()).map_err(storage)?
                    } else {
                        Stereo::new()
                    };
                    let stems = self.engine.stems(answer, &sent.segment, sent.levels.own, mix);
                    let next = self.engine.windows().start(self.next + 1);
                    let weights = self.engine.windows().weights_of(&sent.segment);
                    self.output.add(&sent.segment, &weights, &stems);
                    self.track.sync().map_err(storage)?;
                    self.next += 1;
                    let had = self.session.progress().finished;
                    let space = &self.context.space;
                    self.output.commit(self.session, space, self.next, next, &decoded)?;
                    if had == Frames::ZERO {
                        self.report_first_stem();
                    }
                    if self.repeated_until == Some(self.next) {
                        return Ok(None);
                    }
                }
                Some((_, Err(EngineError::Cancelled | EngineError::ShuttingDown))) => {
                    return Ok(Some(RunOutcome::Stopped));
                }
                Some((_, Err(error))) if error.is_shortage() && self.waits_after(&error)? => {
                    return Err(Failure::new(ErrorReason::SystemLimit, error.to_string()));
                }
                Some((_, Err(error @ EngineError::Killed { .. }))) => {
                    return Err(Failure::new(ErrorReason::ProcessKilled, error.to_string()));
                }
                Some((sent, Err(error))) => self.retry_or_switch(sent, &error)?,
                None if decoded.complete
                    && self.next >= self.engine.windows().count(decoded.frames) =>
                {
                    let stems = self.output.finish(self.session, &self.context.space, &decoded)?;
                    return Ok(Some(RunOutcome::Done(stems)));
                }
                None => {
                    if can_compute {
                        self.slot.claim();
                    } else if self.in_flight.is_empty() && self.decoder.waits_for_upload() {
                        self.slot.park();
                    }
                    let stall = self.context.decoder.stall;
                    self.decoder.check_stall(stall);
                    self.session.notifier().wait_newer(seen, stall / STALL_CHECKS);
                }
            }
        }
    }

    /// Whether the session is delayed after a shortage. Those of memory are counted.
    fn waits_after(&self, error: &EngineError) -> Result<bool, Failure> {
        if !matches!(error, EngineError::OutOfMemory { .. }) {
            return Ok(true);
        }
        let waits = self.session.manifest().memory_waits < MOST_MEMORY_WAITS;
        if waits {
            self.session.update(|manifest| manifest.memory_waits += 1).map_err(storage)?;
        }
        Ok(waits)
    }

    /// Reports how long the first frames took, if there are any now.
    fn report_first_stem(&self) {
        if self.session.progress().finished > Frames::ZERO {
            let created = self.session.manifest().created;
            let after = Duration::from_millis(Timestamp::now().0.saturating_sub(created.0));
            self.context.emit(|observer| observer.first_stem(after));
        }
    }
}

fn storage(error: io::Error) -> Failure {
    Failure::of_storage(&error)
}
