//! A session in memory: its manifest, and state that exists only while the server runs.
//!
//! [`upload`] stores its bytes; [`control`] has its lifecycle state, which [`change`] changes; [`damage`] is what readers
//! find damaged; [`durable`] is what survives the loss of this machine; [`readers`] keep its files.

mod change;
mod control;
mod damage;
mod durable;
mod readers;
mod upload;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::checksums::Prefix;
use super::lifecycle::{State, UploadState};
use super::manifest::{Announced, Manifest, Timestamp};
use super::replication::{Position, Replication, SessionReplica};
use super::spool::Spool;
use super::stored_size::{StoredSize, TotalSize};
use super::{Layout, Notifier, SessionId, SessionState};
use crate::audio::Frames;
use crate::files;
use crate::trace::TraceContext;
use control::Control;

pub use change::StateChange;
pub use control::CallAttempt;
pub use damage::FoundDamage;
pub use readers::ReaderGuard;
pub use upload::Added;

/// A session in memory, shared between threads. Every change wakes the waiters of its [`Notifier`].
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    layout: Layout,
    /// The manifest as on disk; replaced after the file.
    manifest: RwLock<Arc<Manifest>>,
    /// Locked while the manifest is changed and written.
    writing: Mutex<()>,
    spool: Mutex<Spool>,
    uploaded: AtomicU64,
    /// Checksum of the stored bytes of the upload; `None` until this process has stored or read them.
    stored: Mutex<Option<Prefix>>,
    damage: Mutex<FoundDamage>,
    decoded: AtomicU64,
    queue_position: AtomicU32,
    readers: AtomicUsize,
    /// When the last reader left.
    last_read: AtomicU64,
    /// Locked while its files are removed from the disk and stay in the replica.
    discarding: Mutex<()>,
    size: StoredSize,
    /// Whether its files are being removed or are gone; nothing is written any more.
    removed: AtomicBool,
    control: Mutex<Control>,
    notifier: Arc<Notifier>,
    /// Where its runs are in a trace: behind the call that created it in this process.
    trace: OnceLock<TraceContext>,
    /// `None` if its only files are those on the disk.
    replica: Option<Arc<SessionReplica>>,
}

/// The progress of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames that can be read of every stem.
    pub finished: Frames,
    /// Final length of the stems, once known.
    pub total: Option<Frames>,
    /// Decoded frames, at the sample rate of the stems.
    pub decoded: Frames,
    /// Its state.
    pub state: SessionState,
    /// Position among the sessions that wait for a slot, from 1; 0 if it does not.
    pub queue_position: u32,
}

impl Session {
    /// Takes a session whose directory exists; its size counts towards `total` once it is measured. With a replica, it
    /// continues at a position there.
    pub(super) fn open(
        layout: Layout,
        manifest: Manifest,
        total: TotalSize,
        replica: Option<(&Arc<Replication>, Position)>,
    ) -> io::Result<Session> {
        files::remove_unfinished(layout.directory())?;
        let spool = Spool::open(layout.upload())?;
        let upload = UploadState::of(manifest.upload_complete());
        let state = State::loaded(manifest.state, upload, manifest.delay.is_some());
        let last_read = AtomicU64::new(manifest.updated.0);
        let (manifest, notifier) = (Arc::new(manifest), Arc::new(Notifier::default()));
        let replica = replica.map(|(replication, position)| {
            let (manifest, notifier) = (Arc::clone(&manifest), Arc::clone(&notifier));
            let uploaded = spool.len();
            let replica =
                SessionReplica::new(replication, &layout, manifest, uploaded, notifier, position);
            Arc::new(replica)
        });
        Ok(Session {
            id: manifest.id,
            layout,
            uploaded: AtomicU64::new(spool.len()),
            stored: Mutex::default(),
            damage: Mutex::default(),
            decoded: AtomicU64::new(manifest.total.unwrap_or(manifest.commit.stems).0),
            manifest: RwLock::new(manifest),
            writing: Mutex::new(()),
            spool: Mutex::new(spool),
            queue_position: AtomicU32::new(0),
            readers: AtomicUsize::new(0),
            last_read,
            discarding: Mutex::default(),
            size: StoredSize::new(total),
            removed: AtomicBool::new(false),
            control: Mutex::new(Control::new(state)),
            notifier,
            trace: OnceLock::new(),
            replica,
        })
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The address of the client that created it, if it is recorded.
    pub fn client(&self) -> Option<IpAddr> {
        self.manifest().client
    }

    /// Makes its runs a part of the trace at `trace`; the first one stays.
    pub fn set_trace(&self, trace: TraceContext) {
        // A second one is of a call that found it.
        let _ = self.trace.set(trace);
    }

    /// Where its runs are in a trace.
    pub fn trace(&self) -> TraceContext {
        self.trace.get().cloned().unwrap_or_default()
    }

    /// The paths of its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Notified of every change.
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Its manifest, as on disk. Clients get [the durable one](Session::durable_manifest).
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its state, as in the manifest.
    pub fn state(&self) -> SessionState {
        self.manifest().state()
    }

    /// Its progress.
    pub fn progress(&self) -> Progress {
        self.progress_by(&self.manifest())
    }

    /// Its progress as of `manifest`, consistent with other values read from it.
    pub fn progress_by(&self, manifest: &Manifest) -> Progress {
        Progress {
            finished: manifest.commit.stems,
            total: manifest.total,
            decoded: Frames(self.decoded.load(Ordering::Acquire)).max(manifest.commit.stems),
            state: manifest.state,
            queue_position: self.queue_position.load(Ordering::Acquire),
        }
    }

    /// Changes the manifest, on disk first. A session that has ended or is removed stays as it is.
    ///
    /// # Errors
    /// I/O errors from the session directory; then nothing has changed.
    pub fn update(&self, change: impl FnOnce(&mut Manifest)) -> io::Result<()> {
        self.update_where(|manifest| !manifest.state().is_ended(), change)
    }

    /// Records what the client has announced of its upload, also of one that continues after its session is DONE.
    ///
    /// # Errors
    /// Those of [`Session::update`].
    pub fn announce(&self, announced: Announced) -> io::Result<()> {
        let is_receiving = |manifest: &Manifest| {
            let has_failed =
                [SessionState::Failed, SessionState::Cancelled].contains(&manifest.state());
            !has_failed && !manifest.upload_complete()
        };
        self.update_where(is_receiving, |manifest| manifest.announced = announced)
    }

    fn update_where(
        &self,
        condition: impl FnOnce(&Manifest) -> bool,
        change: impl FnOnce(&mut Manifest),
    ) -> io::Result<()> {
        let _one_at_a_time = lock(&self.writing);
        let before = self.manifest();
        if !condition(&before) || self.is_removed() {
            return Ok(());
        }
        let mut manifest = Manifest::clone(&before);
        change(&mut manifest);
        self.note_stored(&mut manifest);
        manifest.updated = Timestamp::now();
        manifest.write(&self.layout.manifest())?;
        self.measure();
        self.set_manifest(manifest);
        self.notifier.notify();
        Ok(())
    }

    /// Allocated bytes of its files. Bytes written since the last commit may be missing.
    pub fn stored_bytes(&self) -> u64 {
        self.size.get()
    }

    /// Adds bytes that were written to its files to [`Session::stored_bytes`]. The next commit corrects it.
    pub fn count_written(&self, bytes: u64) {
        self.size.add(bytes);
    }

    /// Corrects [`Session::stored_bytes`] by reading the size of every file.
    pub fn measure(&self) {
        self.size.measure(|| self.layout.allocated_bytes());
    }

    /// Waits for writers of its files, then refuses all further writes.
    pub(super) fn retire(&self) {
        let _no_bytes_come = lock(&self.spool);
        let _no_change_is_written = lock(&self.writing);
        self.removed.store(true, Ordering::Release);
        self.size.end();
        self.notifier.notify();
    }

    /// Whether its files are being removed or are gone.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Records the checksum of the upload so far.
    fn note_stored(&self, manifest: &mut Manifest) {
        manifest.upload.stored = lock(&self.stored).or(manifest.upload.stored);
    }

    fn set_manifest(&self, manifest: Manifest) {
        let manifest = Arc::new(manifest);
        *self.manifest.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&manifest);
        if let Some(replica) = &self.replica {
            replica.changed(manifest);
        }
    }

    /// Sets the number of decoded frames, at the sample rate of the stems.
    pub fn set_decoded(&self, frames: Frames) {
        self.decoded.store(frames.0, Ordering::Release);
        self.notifier.notify();
    }

    /// Sets the position in the queue.
    pub fn set_queue_position(&self, position: u32) {
        if self.queue_position.swap(position, Ordering::AcqRel) != position {
            self.notifier.notify();
        }
    }
}

/// Every value behind these locks is consistent at any time, so a poisoned lock is no error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
