//! Takes what a decoder says: its source, its PCM into the track, its end.

use std::io::{self, BufReader};
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::crash::crash;
use super::parent::Shared;
use super::protocol::{End, Message};
use crate::audio::{Encoding, Frames};
use crate::separation::track_file::TrackFileWriter;
use crate::session::manifest::SourceRecord;
use crate::session::settings::OutputRate;
use crate::session::{Failure, Reason};

/// Takes the child's messages.
pub(super) struct Receiver {
    pub(super) shared: Arc<Shared>,
    pub(super) track: TrackFileWriter,
    /// The longest track that is taken.
    pub(super) limit: Frames,
    /// Frames that come again and are in the track already.
    pub(super) skip: Frames,
}

impl Receiver {
    /// Takes them until the last, or until nothing more can be written.
    pub(super) fn run(mut self, stdout: ChildStdout, stderr: ChildStderr) {
        let mut stdout = BufReader::with_capacity(256 * 1024, stdout);
        self.skip = self.skip.min(self.track.frames());
        loop {
            match Message::read(&mut stdout) {
                // A word may be on its way to it: then it does not wait.
                Ok(Some(Message::Waiting(told))) => {
                    if self.shared.told.load(Ordering::Acquire) == told {
                        *self.shared.busy_since() = None;
                    }
                }
                Ok(Some(message)) => {
                    let more = self.take(message);
                    *self.shared.busy_since() = more.then(Instant::now);
                    if !more {
                        break;
                    }
                }
                Ok(None) | Err(_) => {
                    let how = self.shared.exit_status();
                    self.shared.fail(crash(stderr, how));
                    break;
                }
            }
        }
    }

    /// Takes a message; answers whether more may come.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Waiting(_) => return true,
            Message::Source(source) => return self.take_source(source),
            Message::Pcm(bytes) => return self.take_pcm(&bytes),
            Message::End(end) => self.take_end(end),
            Message::Failed(failure) => self.shared.fail(failure),
        }
        false
    }

    fn take_source(&mut self, mut source: SourceRecord) -> bool {
        let session = &self.shared.session;
        if session.manifest().settings.rate == OutputRate::Source {
            source.output_rate = source.rate;
        }
        // Known again after a restart, and its length is then known better.
        let known = session.manifest().source.is_some();
        let written =
            if known { Ok(()) } else { session.update(|manifest| manifest.source = Some(source)) };
        self.stored(written)
    }

    fn take_pcm(&mut self, bytes: &[u8]) -> bool {
        let mut audio = Encoding::F32Le.read_frames(bytes);
        let skipped = audio.take_front(self.skip.as_len().min(audio.len()));
        self.skip = self.skip - skipped.frames();
        let room = self.limit.saturating_sub(self.track.frames());
        let too_long = audio.frames() > room;
        if too_long {
            audio.resize(room.as_len());
        }
        if !audio.is_empty() {
            let written = self.track.append(&audio);
            if !self.stored(written) {
                return false;
            }
            self.publish(false);
        }
        if too_long {
            self.reach_limit();
        }
        !too_long
    }

    /// A live source ends well at the limit; a file that is longer is refused.
    fn reach_limit(&mut self) {
        let session = &self.shared.session;
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let seconds = self.limit.duration(rate).as_secs();
        if manifest.settings.input.is_none() {
            let text = format!("the track is longer than the limit of {seconds} s; cut it");
            self.shared
                .fail(Failure::new(Reason::TrackTooLong, text).with("limit_seconds", seconds));
            return;
        }
        let source_rate = manifest.source.as_ref().map_or(rate, |source| source.rate);
        let frames = self.limit.resampled(rate, source_rate);
        self.take_end(End {
            source_frames: frames,
            notices: vec![format!("the live source ended at the limit of {seconds} s")],
            ..End::default()
        });
    }

    fn take_end(&mut self, end: End) {
        let track = self.track.frames();
        let written = self.shared.session.update(|manifest| {
            manifest.total = Some(match manifest.settings.rate {
                OutputRate::Model => track,
                OutputRate::Source => end.source_frames,
            });
            if let Some(source) = &mut manifest.source {
                source.frames = Some(end.source_frames);
                source.damaged = end.damaged;
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
            let mut decoded = self.shared.decoded();
            decoded.frames = frames;
            decoded.statistics.follow(self.track.statistics());
            decoded.complete = complete;
        }
        let manifest = session.manifest();
        let rate = manifest.plan.model_rate;
        let output_rate = manifest.source.as_ref().map_or(rate, |source| source.output_rate);
        session.set_decoded(frames.resampled(rate, output_rate));
    }

    /// Whether writing went well; else the failure is told.
    fn stored(&self, written: io::Result<()>) -> bool {
        written.map_err(|error| self.shared.fail(Failure::of_storage(&error))).is_ok()
    }
}
