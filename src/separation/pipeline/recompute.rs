//! Recomputes the stems of a session whose committed frames or overlap state are damaged.
//!
//! Committed frames in front of the first damaged block stay. The overlap state there is gone, so the session continues with
//! the first segment behind which every later frame depends on later segments alone: what its overlap makes again is dropped.
//! The upload is the same, so the bytes will be, too: readers continue where they are once the commits have reached them.
//!
//! Where several engines have computed a session, each computes its span again, up to the segment at which the next one began.

use std::io;

use super::{Context, storage};
use crate::audio::resample::Resampler;
use crate::audio::{Frames, StemName};
use crate::separation::pipeline::active_engine::windows;
use crate::separation::pipeline::engine_choice::record_of;
use crate::separation::pipeline::output::output_rate;
use crate::session::checksums::{Damage, Intact, intact};
use crate::session::live::FoundDamage;
use crate::session::manifest::{EngineRecord, EngineSpan};
use crate::session::{Failure, Layout, Manifest, Session};

/// Checks the upload, and calls `open`, which checks the committed frames; after damage again, with the commits taken back
/// that it concerns, and once more with all taken back.
///
/// # Errors
/// The failure of the session: damage of the upload, or of frames of an earlier engine that is not here any more; I/O errors.
pub(super) fn checked<T>(
    session: &Session,
    context: &Context,
    open: impl Fn() -> io::Result<T>,
) -> Result<T, Failure> {
    session.set_found_damage(FoundDamage::Nothing);
    session.check_upload().map_err(storage)?;
    let damage = match open() {
        Err(error) if Damage::in_error(&error).is_some() => error,
        opened => return opened.map_err(storage),
    };
    let manifest = session.manifest();
    let intact = intact_frames(session.layout(), &manifest).map_err(storage)?;
    let first = first_segment(&manifest, intact.frames);
    let earlier = manifest.engine_spans.iter().any(|span| span.first > first);
    if earlier && !is_repeatable(&manifest, context) {
        return Err(storage(damage));
    }
    tracing::warn!(session = %session.id(), error = %damage, segment = first, "recomputing the stems");
    if first > 0 {
        session.update(|manifest| manifest.rewind(first, intact)).map_err(storage)?;
        match open() {
            Err(error) if Damage::in_error(&error).is_some() => {}
            opened => return opened.map_err(storage),
        }
    }
    if !manifest.engine_spans.is_empty() && !is_repeatable(&manifest, context) {
        return Err(storage(damage));
    }
    session.update(|manifest| manifest.take_back()).map_err(storage)?;
    open().map_err(storage)
}

/// Whether a session that is done can be computed again with the same bytes: it has the engines, and they work.
pub(in crate::separation) fn can_recompute(manifest: &Manifest, context: &Context) -> bool {
    let breakers = context.chain.circuit_breakers();
    let works = |span: &EngineSpan| breakers.is_closed(&span.model);
    is_repeatable(manifest, context) && spans(manifest).iter().all(works)
}

/// Whether the engines that have computed a session are all here, as they were then: only then do its frames get the same bytes.
fn is_repeatable(manifest: &Manifest, context: &Context) -> bool {
    let changes = manifest.engine_changes.iter();
    let records = changes.flat_map(|change| [&change.from, &change.to]).chain(&manifest.engine);
    let records: Vec<&EngineRecord> = records.collect();
    spans(manifest).iter().all(|span| {
        let model = context.models.find(&span.model);
        let Ok(model) = model else { return false };
        let engines = context.pool.engines(&model).into_iter();
        let engines: Vec<_> = engines.map(|engine| record_of(engine, &model, context)).collect();
        let mut known = records.iter().filter(|record| record.model == span.model).peekable();
        // One that computed with another library or other weights in between has several records.
        let Some(&&first) = known.peek() else { return false };
        known.all(|&record| record == first) && engines.contains(first)
    })
}

/// The spans of a session that have segments.
fn spans(manifest: &Manifest) -> Vec<EngineSpan> {
    let first = Some(manifest.plan.engine_span());
    let first = first.filter(|_| manifest.engine_spans.first().is_none_or(|span| span.first > 0));
    first.into_iter().chain(manifest.engine_spans.iter().cloned()).collect()
}

/// The committed frames in front of the first damaged block. None without checksums, as in a session of 0.1.0.
fn intact_frames(layout: &Layout, manifest: &Manifest) -> io::Result<Intact> {
    let Some(committed) = &manifest.commit.checksums else { return Ok(Intact::default()) };
    let path = |stem: &StemName| {
        // Both names, as the last renames may have been interrupted.
        let (growing, last) = (layout.growing_stem(stem), layout.stem(stem));
        if last.exists() { last } else { growing }
    };
    let stems: Vec<_> = manifest.plan.stems.iter().map(path).collect();
    intact(&layout.checksums(), committed, &stems, manifest.commit.stems)
}

/// The last segment with which the session can continue so that all frames behind the first `intact` ones get the same bytes;
/// 0 if there is none.
fn first_segment(manifest: &Manifest, intact: Frames) -> u64 {
    let (from, to) = (manifest.plan.model_rate, output_rate(manifest));
    let spans = spans(manifest);
    let mut last = manifest.commit.segments;
    for (index, span) in spans.iter().enumerate().rev() {
        let windows = windows(span);
        // The engines before fade out over their last windows at most.
        let fade = spans[..index].iter().map(|span| span.segment).max();
        let is_faded = |frame: Frames| fade.is_none_or(|fade| frame >= span.origin + fade);
        let fits = |segment: &u64| {
            let frame = windows.behind(*segment);
            is_faded(frame) && Resampler::first_independent(from, to, frame) <= intact
        };
        if let Some(found) = (span.first + 1..=last).rev().find(fits) {
            return found;
        }
        // The next engine begins with what this one's last segment leaves.
        last = last.min(span.first).saturating_sub(1);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::manifest::Plan;
    use crate::session::{SessionId, Settings};

    /// Segments of 1000 frames that begin every 750 frames, of which ten are committed.
    fn manifest() -> Manifest {
        let plan = Plan { segment: Frames(1000), overlap: 0.25, ..Plan::for_test(&["vocals"]) };
        let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
        manifest.commit.segments = 10;
        manifest
    }

    #[test]
    fn a_session_continues_behind_the_reach_of_the_segments_that_stay() {
        let manifest = manifest();
        for (intact, expected) in
            [(0, 0), (999, 0), (1000, 1), (1749, 1), (1750, 2), (7750, 10), (99_999, 10)]
        {
            assert_eq!(first_segment(&manifest, Frames(intact)), expected, "{intact}");
        }
    }

    #[test]
    fn an_engine_continues_in_its_own_span_and_up_to_its_end() {
        let mut manifest = manifest();
        let span = EngineSpan { origin: Frames(3000), first: 4, ..manifest.plan.engine_span() };
        manifest.engine_spans.push(EngineSpan { model: "other".into(), ..span });
        // The first engine has faded out at 4000, and segment 5 begins a window later. What fades is of segment 3.
        for (intact, expected) in
            [(999, 0), (1000, 1), (2499, 2), (2500, 3), (3999, 3), (4000, 5), (4750, 6)]
        {
            assert_eq!(first_segment(&manifest, Frames(intact)), expected, "{intact}");
        }
    }
}
