//! Overlap-add of the separated segments, and their commit to the stem files.

use std::io;
use std::time::Duration;

use super::storage;
use crate::audio::resample::Resampler;
use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, Frames, Hertz, Stereo};
use crate::dsp::fade::{column_shares, linear_shares, natural_shares};
use crate::dsp::{FadeOut, OverlapAdd, Segment};
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::DecodeProgress;
use crate::separation::overlap_state::OverlapState;
use crate::separation::pipeline::active_engine::windows;
use crate::separation::stem_files::{StemFiles, StemRecord};
use crate::session::checksums::Checksums;
use crate::session::disk_space::{Reservation, SpaceGuard};
use crate::session::manifest::{Columns, Manifest, Stem};
use crate::session::{Failure, Layout, Session};

/// Shortest duration held back from delivery, over which another engine can fade in. So final frames are also as far behind
/// the decoded ones as the silence gate looks ahead.
const LEAST_FADE: Duration = Duration::from_millis(100);

/// Stems whose files are final; the manifest does not record it yet.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::separation) struct CompleteStems {
    frames: Frames,
    records: Vec<StemRecord>,
    checksums: Checksums,
}

impl CompleteStems {
    /// Records them in the manifest.
    pub(in crate::separation) fn note(&self, manifest: &mut Manifest) {
        manifest.total = Some(self.frames);
        manifest.commit.stems = self.frames;
        manifest.commit.checksums = Some(self.checksums.clone());
        keep(&mut manifest.stems, &self.records);
    }
}

/// The overlap-add and the stem files.
pub(super) struct StemOutput {
    overlap: OverlapAdd,
    /// The remaining frames of the previous engine, fading out.
    fade: FadeOut,
    /// Context of the resamplers, used when the files are opened.
    tails: Vec<Stereo>,
    /// Opened by the first commit, when the sample rate of the stems is known.
    files: Option<StemFiles>,
    least_fade: Frames,
}

impl StemOutput {
    /// Continues from the last commit, once the files are checked.
    ///
    /// # Errors
    /// I/O errors; [`Damage`](crate::session::checksums::Damage) if committed frames or the overlap state are damaged.
    pub(super) fn open(session: &Session) -> io::Result<StemOutput> {
        let manifest = session.manifest();
        let state = overlap_state(session.layout(), &manifest)?;
        let OverlapState { overlap, fade, tails } = state;
        let least_fade = Frames::covering(LEAST_FADE, manifest.plan.model_rate);
        let mut output = StemOutput { overlap, fade, tails, files: None, least_fade };
        if manifest.commit.stems > Frames::ZERO {
            output.open_files(session, output.position())?;
        }
        Ok(output)
    }

    /// The first frame that is not final.
    pub(super) fn position(&self) -> Frames {
        self.overlap.position()
    }

    /// Prepares for the current span: if it has committed nothing, the previous engine fades out.
    pub(super) fn at_span(mut self, manifest: &Manifest) -> StemOutput {
        if !manifest.engine_spans.is_empty()
            && manifest.engine_span().first == manifest.commit.segments
        {
            self.hand_over(manifest);
        }
        self
    }

    /// Fades out all frames that are not final and begins a new overlap-add at the same position.
    ///
    /// The result depends only on committed state, so the next server would produce the same.
    pub(super) fn hand_over(&mut self, manifest: &Manifest) {
        let (stems, position) = (manifest.plan.stems.len(), self.position());
        let before = manifest.committed_span();
        let windows = windows(&before);
        let frames = self.overlap.weights().len();
        let next = windows.start(manifest.commit.segments);
        let held = next.saturating_sub(position).as_len();
        let (there, factors) = match before.columns {
            Some(Columns { size, hop }) => {
                (column_shares(held, frames, size, hop), linear_shares(frames))
            }
            None if held == 0 => {
                let (weights, window) = (self.overlap.weights(), windows.weights());
                (vec![1.0; frames], natural_shares(weights, &window, windows.stride()))
            }
            None => (vec![1.0; frames], linear_shares(frames)),
        };
        let blend = self::windows(&manifest.engine_span()).blend();
        let empty = OverlapAdd::new(stems, position, blend);
        let overlap = std::mem::replace(&mut self.overlap, empty);
        // Without such frames, only an earlier fade continues.
        if frames > 0 {
            let fade = std::mem::replace(&mut self.fade, FadeOut::none(stems, position));
            self.fade = fade.followed_by(overlap, &there, &factors);
        }
    }

    /// Adds the stems of a segment.
    pub(super) fn add(&mut self, segment: &Segment, weights: &[f32], stems: &[Stereo]) {
        self.overlap.add(Frames(segment.span.start), weights, stems);
    }

    /// Appends the frames before `next`, which no later segment reaches, to the stems and commits: `segments` segments and
    /// the track decoded so far.
    pub(super) fn commit(
        &mut self,
        session: &Session,
        space: &SpaceGuard,
        segments: u64,
        next: Frames,
        decoded: &DecodeProgress,
    ) -> Result<(), Failure> {
        let consumed = self.position();
        let end = consumed + Frames::from_len(self.overlap.weights().len());
        let finals = self.take_final(next.min(end.saturating_sub(self.least_fade)));
        let _reserved = self.reserve(session, space, &finals)?;
        let files = self.open_files(session, consumed).map_err(storage)?;
        files.set_known_silence(decoded.silence.bytes);
        let frames = files.append(&finals).map_err(storage)?;
        let checksums = files.sync().map_err(storage)?;
        let (tails, records) = (files.tails(), files.records());
        let state = OverlapState { overlap: self.overlap.clone(), fade: self.fade.clone(), tails };
        let layout = session.layout();
        let overlap_crc32c = state.write(&layout.overlap_state(segments)).map_err(storage)?;
        let gated = session.manifest().plan.silent_passages;
        session
            .update(|manifest| {
                manifest.commit.segments = segments;
                manifest.commit.stems = frames;
                manifest.commit.track = decoded.frames;
                manifest.commit.track_crc32c = Some(decoded.checksum);
                manifest.commit.silence = gated.then_some(decoded.silence);
                (manifest.commit.overlap_state, manifest.commit.overlap_lost) = (true, false);
                manifest.commit.overlap_crc32c = Some(overlap_crc32c);
                manifest.commit.checksums = Some(checksums);
                manifest.clear_crashes();
                keep(&mut manifest.stems, &records);
            })
            .map_err(storage)?;
        // Until the commit before is durable, its overlap state is needed.
        if session.wait_for_commit(segments - 1).map_err(storage)? {
            // If this fails, it is removed with the other scratch files.
            let _ = std::fs::remove_file(layout.overlap_state(segments - 1));
        }
        Ok(())
    }

    /// Appends the last frames and publishes the stem files.
    pub(super) fn finish(
        &mut self,
        session: &Session,
        space: &SpaceGuard,
        decoded: &DecodeProgress,
    ) -> Result<CompleteStems, Failure> {
        let total = session.manifest().total.unwrap_or_default();
        let consumed = self.position();
        self.open_files(session, consumed).map_err(storage)?;
        let mut files = self.files.take().ok_or_else(nothing_open)?;
        let finals = self.take_final(Frames(u64::MAX));
        let _reserved = self.reserve(session, space, &finals)?;
        files.set_known_silence(decoded.silence.bytes);
        files.append(&finals).map_err(storage)?;
        let frames = files.end(total).map_err(storage)?;
        let checksums = files.sync().map_err(storage)?;
        let records = files.publish().map_err(storage)?;
        Ok(CompleteStems { frames, records, checksums })
    }

    /// Reserves the space of a commit: `finals` at the rate of the stems, and the overlap state.
    fn reserve<'a>(
        &self,
        session: &Session,
        space: &'a SpaceGuard,
        finals: &[Stereo],
    ) -> Result<Reservation<'a>, Failure> {
        let manifest = session.manifest();
        let finals: usize = finals.iter().map(Stereo::len).sum();
        let rate = manifest.plan.model_rate;
        let finals = Frames::from_len(finals).resampled(rate, output_rate(&manifest));
        let held = self.overlap.weights().len() + self.fade.shares().len();
        let held = Frames::from_len(held * (manifest.plan.stems.len() + 1));
        Ok(space.reserve((finals + held).0 * frame_bytes(Encoding::F32Le))?)
    }

    fn take_final(&mut self, until: Frames) -> Vec<Stereo> {
        let mut finals = self.overlap.take_final(until);
        self.fade.mix_into(&mut finals);
        finals
    }

    /// The stem files, opened after `consumed` frames at the model's rate.
    fn open_files(&mut self, session: &Session, consumed: Frames) -> io::Result<&mut StemFiles> {
        if self.files.is_none() {
            let manifest = session.manifest();
            let rate = output_rate(&manifest);
            let files = StemFiles::open(session.layout(), &manifest, rate, consumed, &self.tails)?;
            self.files = Some(files);
        }
        self.files.as_mut().ok_or_else(|| io::Error::other("no stem is open"))
    }
}

/// The overlap state of the last commit.
fn overlap_state(layout: &Layout, manifest: &Manifest) -> io::Result<OverlapState> {
    // It is that of the engine of the last commit, which may not be the current one.
    let windows = windows(&manifest.committed_span());
    let (commit, stems) = (&manifest.commit, manifest.plan.stems.len());
    if commit.overlap_lost {
        let start = windows.start(commit.segments);
        let (from, to) = (manifest.plan.model_rate, output_rate(manifest));
        let context = Resampler::context_frames(from, to, start).map_err(io::Error::other)?;
        return Ok(OverlapState {
            overlap: OverlapAdd::new(stems, start, windows.blend()),
            fade: FadeOut::none(stems, start),
            // What is made of it is in front of the intact frames, and dropped.
            tails: vec![Stereo::zeros(context.as_len()); stems],
        });
    }
    if !commit.overlap_state {
        return Ok(OverlapState::none(stems, windows.blend()));
    }
    let path = layout.overlap_state(commit.segments);
    OverlapState::read(&path, windows.blend(), commit.overlap_crc32c)
}

/// The sample rate of the stems.
pub(super) fn output_rate(manifest: &Manifest) -> Hertz {
    manifest.source.as_ref().map_or(manifest.plan.model_rate, |source| source.output_rate)
}

fn nothing_open() -> Failure {
    Failure::new(ErrorReason::Internal, "no stem is open")
}

fn keep(stems: &mut [Stem], records: &[StemRecord]) {
    for (stem, record) in stems.iter_mut().zip(records) {
        stem.peak = record.peak;
        stem.sha256.clone_from(&record.sha256);
    }
}
