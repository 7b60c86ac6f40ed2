//! State that the threads of a decoder share.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::protocol::UploadLength;
use crate::audio::Frames;
use crate::process::{ChildProcess, StallTimer};
use crate::separation::track_file::Statistics;
use crate::session::checksums::Prefix;
use crate::session::{Failure, Session};

/// State that the threads of a decoder share.
pub(super) struct Shared {
    pub(super) session: Arc<Session>,
    children: Mutex<Arc<Children>>,
    /// Runs while the child has bytes to decode.
    pub(super) stall: StallTimer,
    progress: Mutex<DecodeProgress>,
    ended: AtomicBool,
    /// Whether the child's output is not read for now, so that it stops decoding.
    held_back: AtomicBool,
    /// The last length sent to the child, as a word of the protocol.
    sent: AtomicU64,
    /// Whether nothing decodes until the upload is complete.
    needs_all: AtomicBool,
}

/// The processes that decode.
pub(super) struct Children {
    pub(super) decoder: ChildProcess,
    /// FFmpeg, whose output the decoder reads.
    pub(super) ffmpeg: Option<ChildProcess>,
}

impl Children {
    fn kill(&self) {
        self.decoder.kill();
        if let Some(ffmpeg) = &self.ffmpeg {
            ffmpeg.kill();
        }
    }
}

/// Progress of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecodeProgress {
    /// Frames of the track that can be read.
    pub(crate) frames: Frames,
    /// CRC32C of these frames.
    pub(crate) checksum: u32,
    /// Whether the track is complete.
    pub(crate) complete: bool,
    /// Statistics of these frames.
    pub(crate) statistics: Statistics,
    /// The file of silent passages: all edges that these frames determine.
    pub(crate) silence: Prefix,
    /// The failure that ended decoding.
    pub(crate) failure: Option<Failure>,
}

impl Shared {
    pub(super) fn new(
        session: Arc<Session>,
        child: ChildProcess,
        progress: DecodeProgress,
    ) -> Shared {
        Shared {
            session,
            children: Mutex::new(Arc::new(Children { decoder: child, ffmpeg: None })),
            stall: StallTimer::start(),
            progress: Mutex::new(progress),
            ended: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            sent: AtomicU64::new(UploadLength::default().to_word()),
            needs_all: AtomicBool::new(false),
        }
    }

    /// Ends the child, and the threads with it.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        // Its pipes close, which ends the thread that reads them.
        self.kill();
        // Wakes the thread that waits for the upload to grow.
        self.session.notifier().notify();
    }

    /// Kills the processes.
    pub(super) fn kill(&self) {
        self.current().kill();
    }

    /// The processes that decode now.
    pub(super) fn children(&self) -> Arc<Children> {
        Arc::clone(&self.current())
    }

    /// Replaces the processes, which have ended. Returns what `start` returns with the new ones; `None` after
    /// [`Shared::end`].
    ///
    /// # Errors
    /// Those of `start`.
    pub(super) fn replace_children<T>(
        &self,
        start: impl FnOnce() -> io::Result<(Children, T)>,
    ) -> io::Result<Option<T>> {
        let mut current = self.current();
        if self.has_ended() {
            return Ok(None);
        }
        let (children, output) = start()?;
        *current = Arc::new(children);
        self.stall.restart();
        self.needs_all.store(false, Ordering::Release);
        Ok(Some(output))
    }

    /// Waits until the upload is complete. Nothing decodes from here on until the processes are replaced. Returns `false`
    /// after [`Shared::end`].
    pub(super) fn wait_for_all(&self) -> bool {
        self.needs_all.store(true, Ordering::Release);
        self.session.notifier().notify();
        loop {
            let seen = self.session.notifier().version();
            if self.has_ended() {
                return false;
            }
            if self.session.manifest().upload_complete() {
                return true;
            }
            self.session.notifier().wait_newer(seen, Duration::from_secs(5));
        }
    }

    /// Whether the child has had bytes and made no progress for longer than `limit`.
    pub(super) fn has_stalled(&self, limit: Duration) -> bool {
        let is_idle = self.is_held_back() || self.needs_all.load(Ordering::Acquire);
        !is_idle && self.stall.exceeds(limit)
    }

    fn current(&self) -> MutexGuard<'_, Arc<Children>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether [`Shared::end`] was called.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Stops reading the child's output, or continues.
    pub(super) fn hold_back(&self, is_held_back: bool) {
        if self.held_back.swap(is_held_back, Ordering::AcqRel) != is_held_back {
            // The time without reading is none of the child's.
            self.stall.postpone();
            self.session.notifier().notify();
        }
    }

    /// Whether the child's output is not read for now.
    pub(super) fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Acquire)
    }

    /// Waits while the child's output is not to be read.
    pub(super) fn wait_to_read(&self) {
        loop {
            let seen = self.session.notifier().version();
            if self.has_ended() || !self.is_held_back() {
                return;
            }
            self.session.notifier().wait_newer(seen, Duration::from_secs(5));
        }
    }

    /// Whether the child has decoded all that has arrived of an incomplete upload.
    pub(super) fn waits_for_upload(&self) -> bool {
        let complete = self.session.manifest().upload_complete();
        let length = UploadLength { bytes: self.session.uploaded(), complete };
        let has_decoded =
            self.sent.load(Ordering::Acquire) == length.to_word() && self.stall.is_stopped();
        !complete && (has_decoded || self.needs_all.load(Ordering::Acquire))
    }

    /// Records a length that is about to be sent to the child, which has work from then on. Returns whether it is new.
    pub(super) fn record_sent(&self, length: UploadLength) -> bool {
        let word = length.to_word();
        let is_new = self.sent.swap(word, Ordering::AcqRel) != word;
        if is_new {
            self.stall.restart();
        }
        is_new
    }

    /// Progress of the decoder.
    pub(super) fn progress(&self) -> MutexGuard<'_, DecodeProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the stall timer if `length` is the last one sent, and wakes the run, which gives back its slot. Otherwise a
    /// newer one is on its way to the child, which therefore does not wait.
    pub(super) fn waits_after(&self, length: UploadLength) {
        self.stall.stop_if(|| self.sent.load(Ordering::Acquire) == length.to_word());
        self.session.notifier().notify();
    }

    /// Records the first failure; later ones follow from it.
    pub(super) fn fail(&self, failure: Failure) {
        self.progress().failure.get_or_insert(failure);
        self.session.notifier().notify();
    }
}
