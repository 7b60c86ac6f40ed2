//! Recomputes the stems of a session whose committed frames or overlap state are damaged.
//!
//! Committed frames in front of the first damaged block stay. The overlap state there is gone, so the session continues with
//! the first segment behind which every later frame depends on later segments alone: what its overlap makes again is dropped.
//! The upload is the same, so the bytes will be, too: readers continue where they are once the commits have reached them.

use std::io;

use super::storage;
use crate::audio::resample::Resampler;
use crate::audio::{Frames, StemName};
use crate::separation::pipeline::active_engine::windows;
use crate::separation::pipeline::output::output_rate;
use crate::session::checksums::{Damage, Intact, intact};
use crate::session::live::FoundDamage;
use crate::session::{Failure, Layout, Manifest, Session};

/// Checks the upload, and calls `open`, which checks the committed frames; after damage again, with the commits taken back
/// that it concerns, and once more with all taken back.
///
/// # Errors
/// The failure of the session: damage of the upload, or of frames that another engine began; I/O errors.
pub(super) fn checked<T>(
    session: &Session,
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
    tracing::warn!(session = %session.id(), error = %damage, segment = first, "recomputing the stems");
    if first > 0 {
        session.update(|manifest| manifest.rewind(first, intact)).map_err(storage)?;
        match open() {
            Err(error) if Damage::in_error(&error).is_some() => {}
            opened => return opened.map_err(storage),
        }
    }
    // The engine that failed then may not fail now, and so give other bytes than were delivered.
    if !manifest.engine_spans.is_empty() {
        return Err(storage(damage));
    }
    session.update(|manifest| manifest.take_back()).map_err(storage)?;
    open().map_err(storage)
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
    let span = manifest.committed_span();
    let windows = windows(&span);
    // The engine before fades out over its last window at most.
    let others = manifest.engine_spans.iter().rev().skip(1).map(|span| span.segment);
    let fade = others.chain([manifest.plan.segment]).max().unwrap_or_default();
    let is_faded = |frame: Frames| span.first == 0 || frame >= span.origin + fade;
    let (from, to) = (manifest.plan.model_rate, output_rate(manifest));
    let fits = |segment: &u64| {
        let frame = windows.behind(*segment);
        is_faded(frame) && Resampler::first_independent(from, to, frame) <= intact
    };
    (span.first + 1..=manifest.commit.segments).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::manifest::{EngineSpan, Plan};
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
    fn segments_of_an_earlier_engine_are_not_computed_again() {
        let mut manifest = manifest();
        let span = EngineSpan { origin: Frames(3000), first: 4, ..manifest.plan.engine_span() };
        manifest.engine_spans.push(EngineSpan { model: "other".into(), ..span });
        // The first engine has faded out at 4000, and segment 5 begins a window later.
        for (intact, expected) in [(3999, 0), (4000, 5), (4750, 6)] {
            assert_eq!(first_segment(&manifest, Frames(intact)), expected, "{intact}");
        }
    }
}
