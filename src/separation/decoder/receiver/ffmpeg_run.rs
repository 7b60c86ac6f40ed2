//! FFmpeg in place of a decoder that does not support the upload, and what becomes of its errors.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::TrackReceiver;
use crate::audio::TimeSpan;
use crate::process::{GRACE, poll};
use crate::proto::reason::ErrorReason;
use crate::separation::decoder::connection::FromChild;
use crate::separation::decoder::ffmpeg::{FfmpegInput, InputFormat};
use crate::separation::decoder::protocol::End;
use crate::separation::decoder::{DecoderConfig, failure, ffmpeg};
use crate::session::Failure;

/// The time that FFmpeg gets to end behind its output, and that is for a loaded machine.
const FFMPEG_END: Duration = Duration::from_secs(20);

/// What starts FFmpeg, at most once.
pub(in crate::separation::decoder) struct FfmpegFallback {
    pub(in crate::separation::decoder) config: DecoderConfig,
    pub(in crate::separation::decoder) program: PathBuf,
    /// The part to decode.
    pub(in crate::separation::decoder) span: TimeSpan,
    /// The command that decodes FFmpeg's output.
    pub(in crate::separation::decoder) decoder: Command,
}

/// A decoder that reads the output of FFmpeg.
pub(in crate::separation::decoder) struct FfmpegRun {
    /// Such as `ffmpeg 7.0.2`.
    pub(super) version: String,
    /// Why FFmpeg is used.
    refusal: Failure,
}

impl TrackReceiver {
    /// Waits for the end of the upload, and starts FFmpeg on it. Returns the output of the decoder that reads FFmpeg's.
    pub(super) fn start_ffmpeg(
        &mut self,
        ffmpeg: FfmpegFallback,
        refusal: Failure,
    ) -> Option<FromChild> {
        if !self.shared.wait_for_all() {
            return None;
        }
        let FfmpegFallback { config, program, span, decoder } = ffmpeg;
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
        // Where the container is supported, its times are kept here too.
        let keep_start = refusal.reason == ErrorReason::CodecUnsupported;
        let input = FfmpegInput { upload: &upload, span, keep_start };
        let started = self
            .shared
            .replace_children(|| ffmpeg::start(&config, (&program, &version), &input, decoder));
        match started {
            Ok(from_child) => {
                self.ffmpeg_run = Some(FfmpegRun { version, refusal });
                from_child
            }
            Err(error) => {
                self.shared.fail(Failure::of_start("ffmpeg", &error));
                None
            }
        }
    }

    /// Adds a notice of the program that has decoded, if it is another one.
    pub(super) fn with_decoder(&self, mut end: End) -> End {
        let version = self.ffmpeg_run.as_ref().map(|run| &run.version);
        end.notices.extend(version.map(|version| format!("decoded by {version}")));
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
            (Some(run), Some(ffmpeg)) if WITHOUT_OUTPUT.contains(&failure.reason) => {
                let ending = ffmpeg.ending_within(FFMPEG_END);
                self.log_attack(&ending);
                failure::without_output(ending, run.refusal.clone())
            }
            _ => failure,
        };
        self.shared.fail(failure);
    }

    /// What FFmpeg's log states of the upload. It is written before the output, and read in another thread.
    pub(super) fn ffmpeg_input(&self) -> Option<InputFormat> {
        let children = self.shared.children();
        let ffmpeg = children.ffmpeg.as_ref()?;
        poll(GRACE, || InputFormat::parse(&ffmpeg.stderr_head()))
    }
}
