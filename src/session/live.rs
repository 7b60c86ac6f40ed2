//! A session in memory: what its directory says, and what only matters while the server runs.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::failure::{SessionError, too_large};
use super::manifest::{Manifest, State, Timestamp};
use super::spool::Spool;
use super::{Failure, Layout, Reason, SessionId, Signal};
use crate::audio::Frames;

/// A session. Shared by everybody who has to do with it; every change is told by its [`Signal`].
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    layout: Layout,
    /// What the file says; replaced only after the file has been.
    manifest: RwLock<Arc<Manifest>>,
    /// Held while the manifest is changed and written.
    writing: Mutex<()>,
    spool: Mutex<Spool>,
    uploaded: AtomicU64,
    decoded: AtomicU64,
    queue_position: AtomicU32,
    readers: AtomicUsize,
    /// Its files are going or gone; nothing is written any more.
    removed: AtomicBool,
    control: Mutex<Control>,
    signal: Signal,
}

#[derive(Debug)]
struct Control {
    stop: Option<Stop>,
    /// The server ends; nobody need wait for the session here any more.
    shut_down: bool,
    /// Counts the calls that have held the session; the last one holds it.
    call: u64,
    last_byte: Instant,
}

/// Why a running session shall stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// The server ends; the session goes on with the next one.
    Shutdown,
    /// Its client left; it may come back.
    Pause,
    /// A client ended it.
    Cancel,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames of every stem that can be read.
    pub finished: Frames,
    /// Frames that they will have, once known.
    pub total: Option<Frames>,
    /// Frames decoded, at the stems' rate.
    pub decoded: Frames,
    /// Where it stands.
    pub state: State,
    /// Sessions before it in the queue.
    pub queue_position: u32,
}

/// Keeps a session's files from being removed.
#[derive(Debug)]
pub struct Reading(Arc<Session>);

impl Session {
    /// Takes a session whose directory exists.
    pub fn open(layout: Layout, manifest: Manifest) -> io::Result<Session> {
        let spool = Spool::open(layout.upload())?;
        Ok(Session {
            id: manifest.id,
            layout,
            uploaded: AtomicU64::new(spool.len()),
            decoded: AtomicU64::new(manifest.total.unwrap_or(manifest.commit.stems).0),
            manifest: RwLock::new(Arc::new(manifest)),
            writing: Mutex::new(()),
            spool: Mutex::new(spool),
            queue_position: AtomicU32::new(0),
            readers: AtomicUsize::new(0),
            removed: AtomicBool::new(false),
            control: Mutex::new(Control {
                stop: None,
                shut_down: false,
                call: 0,
                last_byte: Instant::now(),
            }),
            signal: Signal::default(),
        })
    }

    /// Its name.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Tells of every change.
    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// What is known of it and safely on disk.
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.manifest().state
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let manifest = self.manifest();
        Progress {
            finished: manifest.commit.stems,
            total: manifest.total,
            decoded: Frames(self.decoded.load(Ordering::Acquire)).max(manifest.commit.stems),
            state: manifest.state,
            queue_position: self.queue_position.load(Ordering::Acquire),
        }
    }

    /// Changes the manifest, on disk first. A session that has ended stays as it is.
    ///
    /// # Errors
    /// What the disk says; then nothing has changed.
    pub fn update(&self, change: impl FnOnce(&mut Manifest)) -> io::Result<()> {
        self.change(change, |written| written)
    }

    /// Changes the manifest also where it cannot be written: for what the next server would find out by
    /// itself, and for what must be told even though the disk is full.
    pub fn settle(&self, change: impl FnOnce(&mut Manifest)) {
        let told = self.change(change, |written| {
            if let Err(error) = written {
                tracing::error!(session = %self.id, %error, "its manifest could not be written");
            }
            Ok(())
        });
        debug_assert!(told.is_ok(), "nothing else can fail");
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Manifest),
        judge: impl FnOnce(io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let _one_at_a_time = lock(&self.writing);
        let before = self.manifest();
        if before.state.is_ended() || self.is_removed() {
            return Ok(());
        }
        let mut manifest = Manifest::clone(&before);
        change(&mut manifest);
        manifest.updated = Timestamp::now();
        judge(manifest.write(&self.layout.manifest()))?;
        self.publish(manifest);
        Ok(())
    }

    /// Ends the session FAILED, unless it has ended. What is done of its stems stays.
    pub fn fail(&self, failure: Failure) {
        tracing::warn!(session = %self.id, %failure, "failed");
        self.end(move |manifest| {
            manifest.state = State::Failed;
            manifest.failure = Some(failure);
        });
    }

    /// Ends the session CANCELLED, unless it has ended. What is done of its stems stays.
    pub fn cancel(&self) {
        self.end(|manifest| manifest.state = State::Cancelled);
    }

    /// Ends the session even where the disk is full: the files that nobody can use any more make room
    /// first, and what cannot be written is at least told while the server runs.
    fn end(&self, change: impl FnOnce(&mut Manifest)) {
        self.settle(|manifest| {
            change(manifest);
            manifest.commit.carry = false;
            self.remove_scratch();
        });
    }

    /// Says that its files go now, and waits for whoever is writing to them.
    pub fn retire(&self) {
        let _no_bytes_come = lock(&self.spool);
        let _no_change_is_written = lock(&self.writing);
        self.removed.store(true, Ordering::Release);
        self.signal.notify();
    }

    /// Whether its files are going or gone.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Removes what is of use only while the session computes.
    pub fn remove_scratch(&self) {
        // What is left over costs room until the session is deleted, nothing else.
        let _ = std::fs::remove_file(self.layout.track());
        for carry in self.layout.carries() {
            let _ = std::fs::remove_file(carry);
        }
    }

    fn publish(&self, manifest: Manifest) {
        *self.manifest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(manifest);
        self.signal.notify();
    }

    /// Bytes of the upload that are held.
    pub fn uploaded(&self) -> u64 {
        self.uploaded.load(Ordering::Acquire)
    }

    /// Adds bytes to the upload; answers its length then.
    ///
    /// # Errors
    /// Those of [`Spool::add`]; `UploadFinished`, `Ended`. A full disk and too many bytes end the session
    /// with `Failed`.
    pub fn add_bytes(&self, offset: u64, bytes: &[u8], limit: u64) -> Result<u64, SessionError> {
        let mut spool = lock(&self.spool);
        let end = offset.saturating_add(bytes.len() as u64);
        // A request that is made again for a finished session repeats what is held.
        let repeats = end <= spool.len() && self.state() == State::Done && !self.is_removed();
        if !repeats {
            self.check_open()?;
        }
        if let Some(total) = self.manifest().upload.total.filter(|&total| end > total) {
            return Err(SessionError::UploadFinished { total });
        }
        let added = spool.add(offset, bytes, limit);
        if let Ok(len) = added {
            // Under the lock: of two chunks at the same moment, the shorter length must not come last.
            self.uploaded.store(len, Ordering::Release);
        }
        drop(spool);
        lock(&self.control).last_byte = Instant::now();
        match added {
            Ok(len) => {
                self.signal.notify();
                Ok(len)
            }
            Err(error) => {
                let failure = match &error {
                    SessionError::Storage(error) => Failure::of_storage(error),
                    SessionError::UploadTooLarge { limit } => too_large(*limit),
                    _ => return Err(error),
                };
                self.fail(failure.clone());
                Err(SessionError::Failed(failure))
            }
        }
    }

    /// Says that the upload is complete with `total` bytes, of the hash `sha256` where the client
    /// gave one. Saying the same again changes nothing.
    ///
    /// # Errors
    /// `UploadIncomplete`, `UploadSizeMismatch`, `Ended`; `Failed` for an empty upload or a wrong hash,
    /// which end the session.
    pub fn finish_upload(&self, total: u64, sha256: Option<&str>) -> Result<(), SessionError> {
        let spool = lock(&self.spool);
        if self.manifest().upload.total == Some(total) {
            return Ok(());
        }
        self.check_open()?;
        if let Some(total) = self.manifest().upload.total {
            return Err(SessionError::UploadFinished { total });
        }
        let committed = spool.len();
        if total > committed {
            return Err(SessionError::UploadIncomplete { total, committed });
        }
        if total < committed {
            return Err(SessionError::UploadSizeMismatch { total, committed });
        }
        let refusal = if total == 0 {
            Some(Failure::new(Reason::UploadEmpty, "the upload has no bytes; send an audio file"))
        } else {
            sha256.map(|expected| self.check_hash(expected)).transpose()?.flatten()
        };
        if let Some(failure) = refusal {
            self.fail(failure.clone());
            return Err(SessionError::Failed(failure));
        }
        spool.sync()?;
        self.update(|manifest| {
            manifest.upload.total = Some(total);
            manifest.upload.sha256 = sha256.map(str::to_owned);
            if manifest.state == State::Uploading {
                manifest.state = State::Running;
            }
        })?;
        // It may have ended at this very moment, and then nothing has changed.
        if self.manifest().upload_complete() { Ok(()) } else { self.check_open() }
    }

    fn check_hash(&self, expected: &str) -> io::Result<Option<Failure>> {
        let found = super::tail::sha256_of_file(&self.layout.upload())?;
        let text =
            "the upload was damaged on its way: its SHA-256 is not the one given; send it again";
        let differs = !found.eq_ignore_ascii_case(expected);
        Ok(differs.then(|| {
            Failure::new(Reason::UploadHashMismatch, text)
                .with("expected_sha256", expected)
                .with("found_sha256", found)
        }))
    }

    fn check_open(&self) -> Result<(), SessionError> {
        if self.is_removed() {
            return Err(SessionError::NotFound(self.id));
        }
        let manifest = self.manifest();
        match (&manifest.failure, manifest.state) {
            (Some(failure), _) => Err(SessionError::Failed(failure.clone())),
            (None, state) if state.is_ended() => Err(SessionError::Ended(state)),
            _ => Ok(()),
        }
    }

    /// How long ago the last byte came, or the session was opened.
    pub fn idle_upload(&self) -> Duration {
        lock(&self.control).last_byte.elapsed()
    }

    /// Counts frames that have been decoded, at the stems' rate.
    pub fn set_decoded(&self, frames: Frames) {
        self.decoded.store(frames.0, Ordering::Release);
        self.signal.notify();
    }

    /// Tells how many sessions are before this one in the queue.
    pub fn set_queue_position(&self, position: u32) {
        if self.queue_position.swap(position, Ordering::AcqRel) != position {
            self.signal.notify();
        }
    }

    /// Asks a running session to stop. A stronger wish stands against a weaker one.
    pub fn request_stop(&self, stop: Stop) {
        let mut control = lock(&self.control);
        control.stop = control.stop.max(Some(stop));
        drop(control);
        self.signal.notify();
    }

    /// Says that the server ends: a running session stops, and who waits for it is told.
    pub fn shut_down(&self) {
        lock(&self.control).shut_down = true;
        self.request_stop(Stop::Shutdown);
    }

    /// Whether the server ends.
    pub fn is_shut_down(&self) -> bool {
        lock(&self.control).shut_down
    }

    /// What was asked of a running session.
    pub fn stop_requested(&self) -> Option<Stop> {
        lock(&self.control).stop
    }

    /// Takes the wish to stop back, when the session is to run again.
    pub fn clear_stop(&self) {
        let mut control = lock(&self.control);
        control.stop = None;
        control.last_byte = Instant::now();
    }

    /// Gives the session to a new call; answers the call's number. The call before sees that it no
    /// longer [holds](Session::is_held_by) the session.
    pub fn hold(&self) -> u64 {
        let mut control = lock(&self.control);
        control.call += 1;
        let call = control.call;
        drop(control);
        self.signal.notify();
        call
    }

    /// Whether this call is the last that took the session.
    pub fn is_held_by(&self, call: u64) -> bool {
        lock(&self.control).call == call
    }

    /// Keeps the files of a session from being removed while the guard lives.
    pub fn reading(self: &Arc<Session>) -> Reading {
        self.readers.fetch_add(1, Ordering::AcqRel);
        Reading(Arc::clone(self))
    }

    /// Whether somebody reads.
    pub fn is_read(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Every value behind these locks is whole at any time, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
