//! Limits of the track's length.

use super::TrackReceiver;
use crate::audio::Frames;
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::protocol::End;
use crate::separation::limits::Limits;
use crate::separation::track_file::FRAME_BYTES;
use crate::session::Failure;
use crate::session::source::SourceNoteKind;

impl TrackReceiver {
    /// Fails the session if its track with `more` frames is too large for the bytes uploaded so far. Silence of hours can
    /// be a few kilobytes, but computing it takes as long as for any other track.
    pub(super) fn expands_too_much(&self, more: Frames) -> bool {
        let session = &self.shared.session;
        let frames = self.track.frames() + more;
        let rate = session.manifest().plan.model_rate;
        let uploaded = session.uploaded();
        let limit = uploaded.saturating_mul(self.expansion) / FRAME_BYTES;
        let refused = frames.0 > limit && frames > Frames::covering(Limits::UNBOUNDED_TRACK, rate);
        if refused {
            let text = format!(
                "the track is longer than an hour and more than {} times as large as the upload of {uploaded} bytes",
                self.expansion
            );
            let failure = Failure::new(ErrorReason::ExpansionTooLarge, text);
            self.shared.fail(
                failure.with("limit_expansion", self.expansion).with("uploaded_bytes", uploaded),
            );
        }
        refused
    }

    /// Ends a live source at the limit; fails the session of a longer file.
    pub(super) fn reach_limit(&mut self) {
        let session = &self.shared.session;
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let seconds = self.limit.duration(rate).as_secs();
        if manifest.settings.input.is_none() {
            let text = format!("the track exceeds the limit of {seconds} s");
            self.shared
                .fail(Failure::new(ErrorReason::TrackTooLong, text).with("limit_seconds", seconds));
            return;
        }
        let source_rate = manifest.source.as_ref().map_or(rate, |source| source.rate);
        let frames = self.limit.resampled(rate, source_rate);
        self.receive_end(End {
            source_frames: frames,
            notices: SourceNoteKind::LiveCut.notice(seconds).into_iter().collect(),
            live_limit_s: Some(seconds),
            ..End::default()
        });
    }
}
