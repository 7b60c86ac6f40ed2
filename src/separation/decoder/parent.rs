//! Starts a decoder, feeds it the growing length of the upload, and watches for stalls.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection::{self, ToChild};
use super::protocol::UploadLength;
use super::receiver::{FfmpegFallback, TrackReceiver};
use super::request::DecodeRequest;
use super::shared::{DecodeProgress, Shared};
use super::{DecoderConfig, failure};
use crate::audio::{Frames, Hertz};
use crate::process::priority;
use crate::separation::silence_file::SilenceFileWriter;
use crate::separation::track_file::TrackFileWriter;
use crate::session::Session;
use crate::session::checksums::Prefix;
use crate::session::disk_space::SpaceGuard;

/// A running decoder of a session's upload. Dropping it kills the child and joins both threads.
pub(crate) struct DecoderProcess {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// The parameters of decoding one session's upload.
pub(crate) struct DecodePlan {
    /// The rate of the model, and so of the track.
    pub(crate) rate: Hertz,
    /// Frames in the head of the statistics.
    pub(crate) head: Frames,
    /// Frames of the track that are synced to disk.
    pub(crate) safe: Frames,
    /// Their CRC32C, if it is known.
    pub(crate) checksum: Option<u32>,
    /// The silent passages that are synced to disk; `None` if they are not to be found.
    pub(crate) silence: Option<Prefix>,
    /// Whether audio that begins later than the pictures beside it begins with silence.
    pub(crate) keep_start: bool,
    /// Longest track accepted.
    pub(crate) limit: Frames,
    /// Limits the space that the track may take.
    pub(crate) space: Arc<SpaceGuard>,
    /// Largest size of a longer track in relation to its upload.
    pub(crate) expansion: u64,
}

impl DecoderProcess {
    /// Starts a child that decodes the session's upload.
    ///
    /// # Errors
    /// The track's file cannot be opened, or the process or a thread cannot be started.
    pub(crate) fn start(
        session: &Arc<Session>,
        config: &DecoderConfig,
        plan: DecodePlan,
    ) -> io::Result<DecoderProcess> {
        let silence = plan
            .silence
            .map(|committed| SilenceFileWriter::open(&session.layout().silence(), committed));
        let silence = silence.transpose()?;
        let found = silence.as_ref().map(SilenceFileWriter::written);
        // The frames of a track are read only with the silent passages that they determine.
        let (safe, checksum) = match found == plan.silence {
            true => (plan.safe, plan.checksum),
            false => (Frames::ZERO, None),
        };
        let path = session.layout().track();
        let track = TrackFileWriter::open(&path, safe, checksum, plan.head)?;
        let progress = DecodeProgress {
            frames: track.frames(),
            checksum: track.checksum(),
            complete: false,
            statistics: track.statistics().clone(),
            silence: found.unwrap_or_default(),
            failure: None,
        };
        let request = {
            let settings = &session.manifest().settings;
            DecodeRequest {
                raw: settings.input,
                track: settings.track,
                span: settings.span,
                keep_start: plan.keep_start,
            }
        };
        let decoder_command = |request: &DecodeRequest| {
            let mut command = request.command(config, plan.rate);
            if silence.is_some() {
                command.arg("--find-silence");
            }
            command
        };
        let ffmpeg = config.ffmpeg.clone().map(|program| {
            // It writes the chosen track alone.
            let mut decoder = decoder_command(&DecodeRequest { raw: None, track: None, ..request });
            decoder.arg("--piped");
            FfmpegFallback { config: config.clone(), program, request, decoder }
        });
        let (child, to_child, from_child) =
            connection::start(decoder_command(&request), &session.layout().upload())?;
        let shared = Arc::new(Shared::new(Arc::clone(session), child, progress));
        let mut decoder = DecoderProcess { shared, threads: Vec::new() };
        let shared = Arc::clone(&decoder.shared);
        decoder.spawn("upload-feed", move || feed(&shared, to_child))?;
        let shared = Arc::clone(&decoder.shared);
        let receiver = TrackReceiver {
            shared,
            track,
            silence,
            rate: plan.rate,
            limit: plan.limit,
            expansion: plan.expansion,
            skip: safe,
            space: plan.space,
            ffmpeg,
            ffmpeg_run: None,
            cover_bytes: None,
            cover_crc32c: None,
            is_cover_lost: false,
        };
        decoder.spawn("track-write", move || {
            priority::lower_thread();
            receiver.run(from_child);
        })?;
        Ok(decoder)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Progress of the decoder.
    pub(crate) fn progress(&self) -> DecodeProgress {
        self.shared.progress().clone()
    }

    /// Whether all that has arrived of an incomplete upload is decoded.
    pub(crate) fn waits_for_upload(&self) -> bool {
        self.shared.waits_for_upload()
    }

    /// Stops decoding after the current block, or continues.
    pub(crate) fn hold_back(&self, is_held_back: bool) {
        self.shared.hold_back(is_held_back);
    }

    /// Fails the session and kills the child if it has had bytes and made no progress for longer than `limit`.
    pub(crate) fn check_stall(&mut self, limit: Duration) {
        if self.shared.has_stalled(limit) {
            self.shared.fail(failure::stalled(limit));
            self.shared.kill();
        }
    }
}

impl Drop for DecoderProcess {
    fn drop(&mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            // Its panic would have been printed; the session then fails by the missing end.
            let _ = thread.join();
        }
    }
}

/// Sends the child the length of the upload each time it grows, until the upload is complete or the decoder ends.
fn feed(shared: &Shared, mut to_child: ToChild) {
    let session = &shared.session;
    loop {
        let seen = session.notifier().version();
        if shared.has_ended() {
            return;
        }
        // Read in this order: the length is final once the upload is complete.
        let complete = session.manifest().upload_complete();
        let length = UploadLength { bytes: session.uploaded(), complete };
        if shared.record_sent(length) {
            let sent = to_child.write_all(&length.to_word().to_le_bytes());
            // A child that has closed its input has ended; its last message has the reason.
            if sent.is_err() || complete {
                return;
            }
        }
        session.notifier().wait_newer(seen, Duration::from_secs(5));
    }
}
