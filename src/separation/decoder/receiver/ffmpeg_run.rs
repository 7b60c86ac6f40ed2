//! FFmpeg in place of a decoder that does not support the upload, and what becomes of its errors.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::TrackReceiver;
use crate::audio::SourceTags;
use crate::decode::AudioTrack;
use crate::process::{GRACE, poll};
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::connection::FromChild;
use crate::separation::decoder::ffmpeg::{FfmpegInput, InputFormat};
use crate::separation::decoder::protocol::{End, UnsupportedUpload};
use crate::separation::decoder::request::DecodeRequest;
use crate::separation::decoder::tag_reader::{self, UploadTags};
use crate::separation::decoder::{DecoderConfig, failure, ffmpeg};
use crate::session::Failure;
use crate::session::source::decoder_notice;

/// The time that FFmpeg gets to end behind its output, and that is for a loaded machine.
const FFMPEG_END: Duration = Duration::from_secs(20);

/// What starts FFmpeg, at most once.
pub(in crate::separation::decoder) struct FfmpegFallback {
    pub(in crate::separation::decoder) config: DecoderConfig,
    pub(in crate::separation::decoder) program: PathBuf,
    /// What to decode.
    pub(in crate::separation::decoder) request: DecodeRequest,
    /// The command that decodes FFmpeg's output.
    pub(in crate::separation::decoder) decoder: Command,
}

/// A decoder that reads the output of FFmpeg.
pub(in crate::separation::decoder) struct FfmpegRun {
    /// Such as `ffmpeg 7.0.2`.
    pub(super) version: String,
    /// Why FFmpeg is used.
    refusal: Failure,
    /// The audio track that it decodes.
    track: NonZero<u32>,
    /// The tags of the upload.
    pub(super) tags: SourceTags,
}

impl TrackReceiver {
    /// Waits for the end of the upload, and starts FFmpeg on it. Returns the output of the decoder that reads FFmpeg's.
    pub(super) fn start_ffmpeg(
        &mut self,
        ffmpeg: FfmpegFallback,
        UnsupportedUpload { failure: refusal, is_timed }: UnsupportedUpload,
    ) -> Option<FromChild> {
        if !self.shared.wait_for_all() {
            return None;
        }
        let FfmpegFallback { config, program, mut request, decoder } = ffmpeg;
        // Of other containers, FFmpeg's times have more in front than late starts, such as the preroll of ASF.
        request.keep_start &= is_timed;
        let session = &self.shared.session;
        let version = match ffmpeg::version(&config, &program) {
            Ok(version) => version,
            Err(error) => {
                tracing::warn!(session = %session.id(), "ffmpeg does not work: {error}");
                self.shared.fail(refusal);
                return None;
            }
        };
        let upload = session.layout().upload();
        let tags = self.read_tags(&config, (&program, &version), &upload);
        let input = FfmpegInput { upload: &upload, request };
        let started = self
            .shared
            .replace_children(|| ffmpeg::start(&config, (&program, &version), &input, decoder));
        match started {
            Ok(from_child) => {
                let track = request.track.unwrap_or(NonZero::<u32>::MIN);
                self.ffmpeg_run = Some(FfmpegRun { version, refusal, track, tags });
                from_child
            }
            Err(error) => {
                self.shared.fail(Failure::of_start("ffmpeg", &error));
                None
            }
        }
    }

    /// Reads the tags of the upload, and stores its cover.
    fn read_tags(
        &mut self,
        config: &DecoderConfig,
        program: (&Path, &str),
        upload: &Path,
    ) -> SourceTags {
        let UploadTags { tags, cover, cover_left_out } =
            tag_reader::read(&self.shared, config, upload);
        if let Some(cover) = cover {
            self.receive_cover(&cover);
        }
        self.is_cover_lost |= cover_left_out;
        if tags != SourceTags::default() {
            return tags;
        }
        tag_reader::listed(&self.shared, ffmpeg::list_tags(config, program), upload)
    }

    /// Adds a notice of the program that has decoded, if it is another one.
    pub(super) fn with_decoder(&self, mut end: End) -> End {
        end.notices.extend(self.ffmpeg_run.as_ref().map(|run| decoder_notice(&run.version)));
        end
    }

    /// The failure of FFmpeg, if it did not decode all of the upload.
    pub(super) fn failure_of_ffmpeg(&self) -> Option<Failure> {
        let children = self.shared.children();
        let ending = children.ffmpeg.as_ref()?.ending_within(FFMPEG_END);
        self.log_attack(&ending);
        (!ending.is_success()).then(|| failure::ended(ending))
    }

    /// Fails the session. A decoder that got nothing to decode from FFmpeg fails by the reason that FFmpeg has for it.
    pub(super) fn fail(&self, failure: Failure) {
        const WITHOUT_OUTPUT: [ErrorReason; 4] = [
            ErrorReason::UploadEmpty,
            ErrorReason::FormatUnknown,
            ErrorReason::CodecUnsupported,
            ErrorReason::NothingDecoded,
        ];
        let children = self.shared.children();
        let failure = match (&self.ffmpeg_run, &children.ffmpeg) {
            (Some(run), Some(program)) if WITHOUT_OUTPUT.contains(&failure.reason) => {
                let ending = program.ending_within(FFMPEG_END);
                self.log_attack(&ending);
                let codecs = ffmpeg::audio_codecs(&program.stderr_head());
                if !codecs.is_empty() && run.track.get() as usize > codecs.len() {
                    failure::without_track(run.track, &codecs)
                } else {
                    failure::without_output(ending, run.refusal.clone())
                }
            }
            _ => failure,
        };
        self.shared.fail(failure);
    }

    /// Which audio track FFmpeg decodes, and of how many.
    pub(super) fn ffmpeg_track(&self) -> Option<AudioTrack> {
        let (run, children) = (self.ffmpeg_run.as_ref()?, self.shared.children());
        let codecs = ffmpeg::audio_codecs(&children.ffmpeg.as_ref()?.stderr_head());
        let count = u32::try_from(codecs.len()).ok()?;
        (count > 0).then_some(AudioTrack { number: run.track.get(), count })
    }

    /// What FFmpeg's log states of the upload. It is written before the output, and read in another thread.
    pub(super) fn ffmpeg_input(&self) -> Option<InputFormat> {
        let children = self.shared.children();
        let ffmpeg = children.ffmpeg.as_ref()?;
        poll(GRACE, || InputFormat::parse(&ffmpeg.stderr_head()))
    }
}
