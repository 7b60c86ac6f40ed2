//! Submits the segments of a run, each at the level that its model expects.

use super::run::Run;
use super::storage;
use crate::audio::{Hertz, Stereo};
use crate::dsp::Segment;
use crate::model::ModelCard;
use crate::separation::decoder::DecodeProgress;
use crate::separation::normalization::{Level, frozen};
use crate::separation::pipeline::active_engine::Levels;
use crate::separation::pipeline::in_flight::Sent;
use crate::session::Failure;
use crate::session::manifest::TrackLevel;
use crate::session::settings::Normalization;

/// Abnormal ends of the server during a segment after which the segment is computed in a process of its own, which shows
/// whether the engine is the cause.
const ISOLATION_DEATHS: u32 = 2;

/// Segments of a session that are submitted at a time, however many machines compute: each takes the memory of its stems, which
/// is 11 MB for HTDemucs.
const MOST_IN_FLIGHT: u64 = 32;

impl Run<'_> {
    /// The next segment to submit, if its frames are decoded.
    pub(super) fn next_segment(&self, decoded: &DecodeProgress) -> Option<Segment> {
        let exact = self.is_exact();
        let mut cards = self.engine.models().iter().map(|model| model.card());
        let normalised =
            cards.any(|card| card.is_normalised() || card.family.has_peak_limit() && exact);
        // The head determines the level, also for an engine with shorter segments.
        let head = self.session.manifest().plan.segment;
        let enough = decoded.complete || !self.is_exact() && decoded.frames >= head;
        if normalised && !enough {
            return None;
        }
        let (windows, index) = (self.engine.windows(), self.in_flight.next());
        windows.segment(index, decoded.frames, decoded.complete)
    }

    fn is_exact(&self) -> bool {
        self.session.manifest().settings.normalization == Normalization::Exact
    }

    /// Submits segments whose frames are decoded, enough to keep the worker threads busy.
    pub(super) fn send(&mut self, decoded: &DecodeProgress) -> Result<(), Failure> {
        let exact = self.is_exact();
        // One more than there are worker threads, so that none is idle during a commit.
        let isolated = self.session.manifest().deaths >= ISOLATION_DEATHS;
        let pool = &self.context.pool;
        let model = self.engine.model();
        let lanes = self.engine.identity();
        let lanes = lanes.map_or_else(|| pool.lanes(), |engine| pool.lanes_of(model, engine));
        let depth = if isolated { 1 } else { (lanes as u64 + 1).min(MOST_IN_FLIGHT) };
        let end = (self.next + depth).min(self.repeated_until.unwrap_or(u64::MAX));
        while self.in_flight.next() < end {
            let Some(segment) = self.next_segment(decoded) else { break };
            let levels = self.engine.levels(|card| self.level_for(card, decoded, &segment))?;
            let retried = pool.retries();
            let sent = Sent { segment, levels, retried, silent: false, isolated };
            self.submit(sent, !exact)?;
        }
        Ok(())
    }

    /// The level of a segment for a model.
    fn level_for(
        &self,
        card: &ModelCard,
        decoded: &DecodeProgress,
        segment: &Segment,
    ) -> Result<Level, Failure> {
        let statistics = &decoded.statistics;
        let length = self.engine.windows().length().as_len();
        Ok(match (card.is_normalised(), self.is_exact()) {
            (false, true) if card.family.has_peak_limit() => Level::limited(statistics),
            (false, _) => Level::Unchanged,
            (true, true) if card.needs_deviation() => Level::of(statistics.level()),
            (true, true) => Level::exact(statistics),
            (true, false) if card.needs_deviation() => self.frozen_level(decoded, segment)?,
            (true, false) => Level::streaming(statistics, segment, length),
        })
    }

    /// The level of a segment whose model needs the deviation. Once the track is loud enough, it is recorded and kept.
    fn frozen_level(&self, decoded: &DecodeProgress, segment: &Segment) -> Result<Level, Failure> {
        let (statistics, end) = (&decoded.statistics, segment.shown.end);
        // What is computed again precedes the recorded level where it was not known yet.
        let known = frozen(statistics, end, decoded.complete);
        if let Some(level) = known.filter(|_| self.session.manifest().level.is_none()) {
            let rate = self.session.manifest().plan.model_rate;
            let text = level_notice(self.engine.name(), level, rate);
            self.session
                .update(|manifest| {
                    manifest.level = Some(level);
                    manifest.notices.push(text);
                })
                .map_err(storage)?;
        }
        Ok(Level::of_start(known, statistics, end))
    }

    /// Submits a segment. With `skip_silence`, a segment whose input is digital silence gets silent stems without an
    /// engine.
    ///
    /// An engine adds low noise to digital silence, which belongs to no stem. Silent stems cost nothing and depend on the
    /// track alone, so that every way to them gives the same bytes. With `EXACT` all that the reference computes is computed;
    /// only the silence gate removes noise.
    pub(super) fn submit(&mut self, sent: Sent, skip_silence: bool) -> Result<(), Failure> {
        let shown = self.track.read(sent.segment.shown.clone()).map_err(storage)?;
        let length = self.engine.windows().length().as_len();
        if skip_silence && shown.planes().into_iter().flatten().all(|&sample| sample == 0.0) {
            let stems = self.engine.model().card().stems.iter();
            let stems = stems.map(|_| Stereo::zeros(length)).collect();
            // At the level of the track, silence is zeros whatever the offset.
            let sent = Sent { levels: Levels::UNCHANGED, silent: true, ..sent };
            self.in_flight.skip(sent, stems);
            return Ok(());
        }
        let mix = sent.levels.own.input(&sent.segment, shown, length);
        self.in_flight.submit(sent, mix, &self.engine, self.session, &self.context.pool);
        Ok(())
    }
}

/// The text for users about a level that streaming has frozen.
fn level_notice(model: &str, level: TrackLevel, rate: Hertz) -> String {
    let seconds = level.frames.0 as f64 / f64::from(rate.0);
    format!(
        "{model} is normalised by the mean and the deviation of the first {seconds:.1} s of the track; `exact` uses those of the whole track"
    )
}
