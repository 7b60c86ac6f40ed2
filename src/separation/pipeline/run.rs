//! The loop of a run: submits segments, takes their results in order, and commits each before the next.

use std::sync::Arc;
use std::time::Duration;

use super::active_engine::ActiveEngine;
use super::engine_choice::loss;
use super::in_flight::InFlight;
use super::output::StemOutput;
use super::slot::Slot;
use super::{Context, RunOutcome, fallback, recompute, storage};
use crate::audio::{Frames, Stereo};
use crate::separation::decoder::{DecodePlan, DecoderProcess};
use crate::separation::track_file::TrackFileReader;
use crate::session::live::FoundDamage;
use crate::session::manifest::Timestamp;
use crate::session::{Failure, Session};
use crate::trace;

/// Checks for a stalled decoder within the time that makes a stall. Everything else that a run waits for notifies its
/// session.
pub(super) const STALL_CHECKS: u32 = 60;

/// A run of a session's pipeline, until it ends or is to be opened again.
pub(super) struct Run<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) context: &'a Context,
    pub(super) slot: &'a dyn Slot,
    pub(super) decoder: DecoderProcess,
    pub(super) track: TrackFileReader,
    pub(super) engine: ActiveEngine,
    pub(super) output: StemOutput,
    /// The next segment to commit.
    pub(super) next: u64,
    pub(super) in_flight: InFlight,
    /// The segment at which the next engine begins, where the segments of an earlier one are computed again.
    pub(super) repeated_until: Option<u64>,
}

impl<'a> Run<'a> {
    /// Opens what the session has on disk, and continues after its last commit.
    ///
    /// # Errors
    /// No engine can compute, the decoder cannot be started, or the files cannot be read.
    pub(super) fn open(
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
    ///
    /// # Errors
    /// Why the run cannot continue.
    pub(super) fn work(&mut self) -> Result<Option<RunOutcome>, Failure> {
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
                    tracing::info_span!(target: trace::TARGET, "commit", segments = self.next)
                        .in_scope(|| {
                            self.output.commit(self.session, space, self.next, next, &decoded)
                        })?;
                    if had == Frames::ZERO {
                        self.report_first_stem();
                    }
                    if self.repeated_until == Some(self.next) {
                        return Ok(None);
                    }
                }
                Some((sent, Err(error))) => {
                    if let Some(outcome) = self.after_failure(sent, &error)? {
                        return Ok(Some(outcome));
                    }
                }
                None if decoded.complete
                    && self.next >= self.engine.windows().count(decoded.frames) =>
                {
                    let stems = self.output.finish(self.session, &self.context.space, &decoded)?;
                    return Ok(Some(RunOutcome::Done(stems)));
                }
                None => {
                    if !self.in_flight.is_empty()
                        && let Some(failure) = loss(&self.engine, &self.context.pool)
                    {
                        return Err(failure);
                    }
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

    /// Reports how long the first frames took, if there are any now.
    fn report_first_stem(&self) {
        if self.session.progress().finished > Frames::ZERO {
            let created = self.session.manifest().created;
            let after = Duration::from_millis(Timestamp::now().0.saturating_sub(created.0));
            self.context.emit(|observer| observer.first_stem(after));
        }
    }
}
