//! Receives a decoder's messages: the source, PCM for the track, and the end.

mod ffmpeg_run;
mod track_limits;

use std::io::{self, BufReader};
use std::sync::Arc;

pub(super) use ffmpeg_run::{FfmpegFallback, FfmpegRun};

use super::connection::FromChild;
use super::failure;
use super::ffmpeg::InputFormat;
use super::protocol::{DecoderMessage, End, UnsupportedUpload};
use super::shared::Shared;
use crate::audio::{Cover, Encoding, Frames, Hertz, Stereo};
use crate::decode::SilenceEdge;
use crate::process::{Ending, Limit};
use crate::separation::silence_file::{SilenceFileWriter, StemEdge};
use crate::separation::track_file::{FRAME_BYTES, TrackFileWriter};
use crate::session::disk_space::SpaceGuard;
use crate::session::manifest::SourceRecord;
use crate::session::settings::OutputRate;
use crate::session::source::SourceNoteKind;
use crate::session::{Failure, cover};

/// Writes a decoder's output to the track and the manifest.
pub(super) struct TrackReceiver {
    pub(super) shared: Arc<Shared>,
    pub(super) track: TrackFileWriter,
    /// `None` if the child does not look for silent passages.
    pub(super) silence: Option<SilenceFileWriter>,
    /// The rate of the track.
    pub(super) rate: Hertz,
    /// Longest track accepted.
    pub(super) limit: Frames,
    /// Largest size of a longer track in relation to its upload.
    pub(super) expansion: u64,
    /// Frames that the decoder sends again although the track has them.
    pub(super) skip: Frames,
    /// Limits the space that the track may take.
    pub(super) space: Arc<SpaceGuard>,
    /// What decodes uploads that the decoder does not support.
    pub(super) ffmpeg: Option<FfmpegFallback>,
    /// Set once it does.
    pub(super) ffmpeg_run: Option<FfmpegRun>,
    /// Bytes of the cover that is stored.
    pub(super) cover_bytes: Option<u64>,
    /// Its checksum.
    pub(super) cover_crc32c: Option<u32>,
    /// Whether one could not be stored.
    pub(super) is_cover_lost: bool,
}

impl TrackReceiver {
    /// Receives messages until the last one, or until nothing more can be written.
    pub(super) fn run(mut self, from_child: FromChild) {
        self.skip = self.skip.min(self.track.frames());
        let mut next = Some(from_child);
        while let Some(from_child) = next {
            next = self.run_one(from_child);
        }
    }

    /// The same of one decoder. Returns the output of the decoder that takes its place, if one does.
    fn run_one(&mut self, from_child: FromChild) -> Option<FromChild> {
        let mut from_child = BufReader::with_capacity(256 * 1024, from_child);
        loop {
            self.shared.wait_to_read();
            match DecoderMessage::read(&mut from_child) {
                Ok(Some(DecoderMessage::Waiting(length))) => self.shared.waits_after(length),
                Ok(Some(DecoderMessage::Unsupported(refusal))) => match self.ffmpeg.take() {
                    Some(ffmpeg) => return self.start_ffmpeg(ffmpeg, refusal),
                    None => {
                        self.fail(refusal.failure);
                        self.shared.stall.stop_if(|| true);
                        return None;
                    }
                },
                Ok(Some(message)) => {
                    if !self.receive(message) {
                        self.shared.stall.stop_if(|| true);
                        return None;
                    }
                    self.shared.stall.restart();
                }
                Ok(None) | Err(_) => {
                    self.shared.fail(self.ended());
                    return None;
                }
            }
        }
    }

    /// The failure of a decoder that has ended without a last message.
    fn ended(&self) -> Failure {
        let ending = self.shared.children().decoder.ending();
        self.log_attack(&ending);
        failure::ended(ending)
    }

    fn log_attack(&self, ending: &Ending) {
        if ending.limit == Some(Limit::SystemCall) {
            let session = self.shared.session.id();
            tracing::error!(%session, "a decoder was stopped by its sandbox: its upload may be an attack");
        }
    }

    /// Handles a message. Returns whether more may follow.
    fn receive(&mut self, message: DecoderMessage) -> bool {
        match message {
            DecoderMessage::Confined(_) | DecoderMessage::Waiting(_) => return true,
            DecoderMessage::Source(source) => return self.receive_source(source),
            DecoderMessage::Silence(edge) => return self.receive_silence(edge),
            DecoderMessage::Pcm(bytes) => return self.receive_pcm(&bytes),
            DecoderMessage::Cover(bytes) => {
                self.receive_cover(&bytes);
                return true;
            }
            DecoderMessage::End(end) => match self.failure_of_ffmpeg() {
                Some(failure) => self.shared.fail(failure),
                None => self.receive_end(self.with_decoder(end)),
            },
            DecoderMessage::Failed(failure)
            | DecoderMessage::Unsupported(UnsupportedUpload { failure, .. }) => {
                self.fail(failure);
            }
        }
        false
    }

    fn receive_source(&mut self, mut source: SourceRecord) -> bool {
        if let Some(run) = &self.ffmpeg_run {
            if let Some(InputFormat { container, codec }) = self.ffmpeg_input() {
                (source.container, source.codec) = (container, codec);
            }
            source.decoder = Some(run.version.clone());
            source.track = self.ffmpeg_track().unwrap_or_default();
            source.tags = run.tags.clone();
        }
        let session = &self.shared.session;
        // The child has read a hostile file.
        source.tags = source.tags.bounded();
        if session.manifest().settings.rate == OutputRate::Source {
            source.output_rate = source.rate;
        }
        // After a restart the manifest has it already, with the true length.
        let known = session.manifest().source.is_some();
        let written =
            if known { Ok(()) } else { session.update(|manifest| manifest.source = Some(source)) };
        self.stored(written)
    }

    fn receive_silence(&mut self, edge: SilenceEdge) -> bool {
        let Some(silence) = &mut self.silence else { return true };
        // Whether frames behind the limit are decoded depends on the sizes of blocks.
        if edge.known_at(self.rate) > self.limit {
            return true;
        }
        let session = &self.shared.session;
        let position = match session.manifest().settings.rate {
            OutputRate::Model => edge.track,
            OutputRate::Source => edge.source,
        };
        let edge = StemEdge { channel: edge.channel, kind: edge.kind, position };
        let written = silence.append(edge).map(|written| session.count_written(written));
        self.stored(written)
    }

    fn receive_pcm(&mut self, bytes: &[u8]) -> bool {
        let mut audio = Encoding::F32Le.read_frames(bytes);
        let skipped = audio.take_front(self.skip.as_len().min(audio.len()));
        self.skip = self.skip - skipped.frames();
        let left = self.limit.saturating_sub(self.track.frames());
        let too_long = audio.frames() > left;
        if too_long {
            audio.resize(left.as_len());
        }
        if self.expands_too_much(audio.frames()) {
            return false;
        }
        if !audio.is_empty() {
            if !self.write(&audio) {
                return false;
            }
            self.publish(false);
        }
        if too_long {
            self.reach_limit();
        }
        !too_long
    }

    /// Appends frames to the track. Returns whether that succeeded.
    fn write(&mut self, audio: &Stereo) -> bool {
        let space = Arc::clone(&self.space);
        let _reserved = match space.reserve(audio.len() as u64 * FRAME_BYTES) {
            Ok(reserved) => reserved,
            Err(error) => {
                self.shared.fail(error.into());
                return false;
            }
        };
        match self.track.append(audio) {
            Ok(written) => self.shared.session.count_written(written),
            Err(error) => return self.stored(Err(error)),
        }
        true
    }

    /// Stores the cover. Without it, the session is as good.
    fn receive_cover(&mut self, bytes: &[u8]) {
        let stored = Cover::new(bytes).map_err(io::Error::other).and_then(|cover| {
            let _reserved = self.space.reserve(bytes.len() as u64).map_err(io::Error::other)?;
            cover::write(&self.shared.session, &cover)
        });
        match stored {
            Ok(crc32c) => {
                (self.cover_bytes, self.cover_crc32c) = (Some(bytes.len() as u64), Some(crc32c));
            }
            Err(error) => {
                let session = self.shared.session.id();
                tracing::warn!(%session, "the cover is not stored: {error}");
                self.is_cover_lost = true;
            }
        }
    }

    fn receive_end(&mut self, mut end: End) {
        end.cover_left_out |= self.is_cover_lost;
        if end.cover_left_out {
            end.notices.extend(SourceNoteKind::CoverLeftOut.notice(1));
        }
        let track = self.track.frames();
        let written = self.shared.session.update(|manifest| {
            manifest.total = Some(match manifest.settings.rate {
                OutputRate::Model => track,
                OutputRate::Source => end.source_frames,
            });
            if let Some(source) = &mut manifest.source {
                source.frames = Some(end.source_frames);
                source.damaged = end.damaged;
                source.report = end.report;
                source.live_limit_s = end.live_limit_s;
                source.cover_bytes = self.cover_bytes;
                source.cover_crc32c = self.cover_crc32c;
                source.cover_left_out = end.cover_left_out;
                if let Some(tags) = end.tags {
                    source.tags = tags.bounded();
                }
            }
            for notice in end.notices {
                if !manifest.notices.contains(&notice) {
                    manifest.notices.push(notice);
                }
            }
        });
        if self.stored(written) {
            self.publish(true);
        }
    }

    fn publish(&self, complete: bool) {
        let session = &self.shared.session;
        let frames = self.track.frames();
        {
            let mut progress = self.shared.progress();
            progress.frames = frames;
            progress.checksum = self.track.checksum();
            progress.statistics.follow(self.track.statistics());
            progress.silence =
                self.silence.as_ref().map(SilenceFileWriter::written).unwrap_or_default();
            progress.complete = complete;
        }
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let output_rate = manifest.source.as_ref().map_or(rate, |source| source.output_rate);
        session.set_decoded(frames.resampled(rate, output_rate));
    }

    /// Fails the session if `written` is an error. Returns whether it is not.
    fn stored(&self, written: io::Result<()>) -> bool {
        written.map_err(|error| self.shared.fail(Failure::of_storage(&error))).is_ok()
    }
}
