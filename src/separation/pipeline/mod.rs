//! The pipeline of one session: from its upload to its stems.
//!
//! Each open session has a thread that executes [`run`]. It submits segments to the worker threads as soon as their
//! frames are decoded ([`in_flight`]), takes the results in order, and commits each before the next ([`output`]): stem
//! frames, then overlap state, then the manifest that names both. After a crash between two commits the next server
//! continues from the last one and produces the same bytes.
//!
//! The [`active_engine`] computes; after repeated errors the next one of the chain takes over ([`fallback`]). Committed
//! frames that turn out to be damaged are computed again ([`recompute`]).

mod active_engine;
mod fallback;
mod in_flight;
mod output;
mod recompute;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::normalization::Level;
use super::observer::Observer;
use crate::audio::{Frames, Stereo};
use crate::engine::pool::Pool;
use crate::engine::{Chain, EngineError};
use crate::files::allocated_bytes;
use crate::model::AvailableModels;
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::{DecodePlan, DecodeProgress, DecoderConfig, DecoderProcess};
use crate::separation::track_file::TrackFileReader;
use crate::session::disk_space::SpaceGuard;
use crate::session::live::FoundDamage;
use crate::session::manifest::Timestamp;
use crate::session::settings::Normalization;
use crate::session::{Failure, Session};

use active_engine::ActiveEngine;
use in_flight::{InFlight, Sent};
use output::StemOutput;

pub(super) use active_engine::{columns_of, engine_of};
pub(super) use fallback::Cause;
pub use fallback::reason_of;
pub(super) use output::CompleteStems;

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

/// Abnormal ends of the server during a segment after which the segment is computed in a process of its own, which shows
/// whether the engine is the cause.
const ISOLATION_DEATHS: u32 = 2;

/// Killed processes, without a commit in between, after which a session fails.
const MOST_KILLS: u32 = 5;

/// Longest wait for a change, and interval of the check for stalled decoders.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs a session's pipeline until it is done, fails, or is asked to stop.
pub(super) fn run(session: &Arc<Session>, context: &Context) -> RunOutcome {
    let result = loop {
        let worked = Run::open(session, context).and_then(|mut run| run.work());
        match worked.transpose() {
            // Committed frames are damaged, which opening finds, too.
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
    decoder: DecoderProcess,
    track: TrackFileReader,
    engine: ActiveEngine,
    output: StemOutput,
    /// The next segment to commit.
    next: u64,
    in_flight: InFlight,
}

impl<'a> Run<'a> {
    fn open(session: &'a Arc<Session>, context: &'a Context) -> Result<Run<'a>, Failure> {
        let output = recompute::checked(session, || StemOutput::open(session))?;
        let engine = fallback::active_engine(session, context, output.position())?;
        let manifest = session.manifest();
        let next = manifest.commit.segments;
        let output = output.at_span(&manifest);
        let plan = DecodePlan {
            rate: manifest.plan.model_rate,
            head: manifest.plan.segment,
            safe: manifest.commit.track,
            checksum: manifest.commit.track_crc32c,
            limit: Frames::covering(context.max_track, manifest.plan.model_rate),
            space: Arc::clone(&context.space),
            expansion: context.max_expansion,
        };
        let decoder = DecoderProcess::start(session, &context.decoder, plan)
            .map_err(|error| Failure::of_start("the decoder", &error))?;
        let track = TrackFileReader::open(&session.layout().track()).map_err(storage)?;
        let in_flight = InFlight::from(next);
        Ok(Run { session, context, decoder, track, engine, output, next, in_flight })
    }

    /// Works until the run ends, or until a reader finds damage: then `None`.
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
            self.send(&decoded)?;
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
                    let stems = self.engine.stems(answer, &sent.segment, sent.level, mix);
                    let next = self.engine.windows().start(self.next + 1);
                    self.output.add(&sent.segment, self.engine.weights(), &stems);
                    self.track.sync().map_err(storage)?;
                    self.next += 1;
                    let had = self.session.progress().finished;
                    let space = &self.context.space;
                    self.output.commit(self.session, space, self.next, next, &decoded)?;
                    if had == Frames::ZERO {
                        self.report_first_stem();
                    }
                }
                Some((_, Err(EngineError::Cancelled | EngineError::ShuttingDown))) => {
                    return Ok(Some(RunOutcome::Stopped));
                }
                Some((_, Err(error))) if error.is_shortage() => {
                    return Err(Failure::new(ErrorReason::SystemLimit, error.to_string()));
                }
                Some((_, Err(error @ EngineError::Killed { .. }))) => {
                    return Err(Failure::new(ErrorReason::ProcessKilled, error.to_string()));
                }
                Some((sent, Err(error))) => self.retry_or_switch(sent, &error)?,
                None if decoded.complete
                    && self.next >= self.engine.windows().count(decoded.frames) =>
                {
                    let stems = self.output.finish(self.session, &self.context.space)?;
                    return Ok(Some(RunOutcome::Done(stems)));
                }
                None => {
                    self.decoder.check_stall(self.context.decoder.stall);
                    self.session.notifier().wait_newer(seen, POLL_INTERVAL);
                }
            }
        }
    }

    /// Reports how long the first frames took, if there are any now.
    fn report_first_stem(&self) {
        if self.session.progress().finished > Frames::ZERO {
            let created = self.session.manifest().created;
            let after = Duration::from_millis(Timestamp::now().0.saturating_sub(created.0));
            self.context.emit(|observer| observer.first_stem(after));
        }
    }

    /// Submits segments whose frames are decoded, enough to keep the worker threads busy.
    fn send(&mut self, decoded: &DecodeProgress) -> Result<(), Failure> {
        let manifest = self.session.manifest();
        let normalised = self.engine.model().card().family.is_normalised();
        let exact = manifest.settings.normalization == Normalization::Exact;
        // The head determines the level, also for an engine with shorter segments.
        let enough = decoded.complete || !exact && decoded.frames >= manifest.plan.segment;
        if normalised && !enough {
            return Ok(());
        }
        // One more than there are worker threads, so that none is idle during a commit.
        let isolated = manifest.deaths >= ISOLATION_DEATHS;
        let depth = if isolated { 1 } else { self.context.pool.config().workers as u64 + 1 };
        let length = self.engine.windows().length().as_len();
        while self.in_flight.next() < self.next + depth {
            let index = self.in_flight.next();
            let windows = self.engine.windows();
            let Some(segment) = windows.segment(index, decoded.frames, decoded.complete) else {
                break;
            };
            let level = match (normalised, exact) {
                (false, _) => Level::Unchanged,
                (true, true) => Level::exact(&decoded.statistics),
                (true, false) => Level::streaming(&decoded.statistics, &segment, length),
            };
            let sent = Sent { segment, level, retried: false, silent: false, isolated };
            self.submit(sent, !exact)?;
        }
        Ok(())
    }

    /// Submits a segment. With `skip_silence`, a segment whose input is digital silence gets silent stems without an
    /// engine.
    ///
    /// An engine adds low noise to digital silence, which belongs to no stem. Silent stems cost nothing and depend on the
    /// track alone, so that every way to them gives the same bytes. With `EXACT` the output is that of the reference,
    /// noise included.
    fn submit(&mut self, sent: Sent, skip_silence: bool) -> Result<(), Failure> {
        let shown = self.track.read(sent.segment.shown.clone()).map_err(storage)?;
        let length = self.engine.windows().length().as_len();
        if skip_silence && shown.planes().into_iter().flatten().all(|&sample| sample == 0.0) {
            let stems = self.engine.model().card().stems.iter();
            let stems = stems.map(|_| Stereo::zeros(length)).collect();
            // At the level of the track, silence is zeros whatever the offset.
            let sent = Sent { level: Level::Unchanged, silent: true, ..sent };
            self.in_flight.skip(sent, stems);
            return Ok(());
        }
        let mix = sent.level.input(&sent.segment, shown, length);
        self.in_flight.submit(sent, mix, &self.engine, self.session, &self.context.pool);
        Ok(())
    }

    /// Retries a failed segment once; then switches to the next engine.
    fn retry_or_switch(&mut self, sent: Sent, error: &EngineError) -> Result<(), Failure> {
        if !self.is_input_extreme(&sent, error)? {
            self.context.chain.circuit_breakers().failed(self.engine.name(), error);
        }
        // A crash of its own process is the third abnormal end during the segment, so it is not retried.
        if !sent.retried && !matches!(error, EngineError::Crashed { .. }) {
            tracing::warn!(session = %self.session.id(), %error, "retrying the segment");
            return self.submit(Sent { retried: true, ..sent }, false);
        }
        let cause = Cause::of(error);
        let position = self.output.position();
        let from = self.engine.name().to_owned();
        self.engine = fallback::switch_engine(self.session, self.context, &from, &cause, position)?;
        // Results of the previous engine are no longer needed.
        self.context.pool.remove(self.session.id().as_u128());
        self.in_flight = InFlight::from(self.next);
        self.output.hand_over(&self.session.manifest());
        Ok(())
    }

    /// Whether the output is not finite because the input is extremely loud, which is not an error of the engine.
    fn is_input_extreme(&mut self, sent: &Sent, error: &EngineError) -> Result<bool, Failure> {
        /// 100 dB above full scale.
        const LOUDEST: f32 = 1e5;
        if !matches!(error, EngineError::NotFinite { .. }) {
            return Ok(false);
        }
        let shown = self.track.read(sent.segment.shown.clone()).map_err(storage)?;
        let sane = |sample: &f32| sample.abs() <= LOUDEST;
        Ok(!shown.planes().into_iter().flatten().all(sane))
    }
}

fn storage(error: io::Error) -> Failure {
    Failure::of_storage(&error)
}
