//! A session and its replica: what is stored, what is to be stored, and waiting for it.

use std::fmt;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::absent::{AbsentFiles, EndedSession};
use super::mark::Mark;
use super::restore::is_complete;
use super::writer::{LocalSession, PIECE_BYTES, Stored, WriteError, Writer};
use super::{Keys, Replication};
use crate::audio::{Frames, StemName};
use crate::session::manifest::Manifest;
use crate::session::notifier::Notifier;
use crate::session::replica::ReplicaError;
use crate::session::{Layout, SessionId};

/// How long bytes of an upload are collected, unless there is enough for a piece or a call waits for them.
const COLLECTED: Duration = Duration::from_secs(1);

/// Interval at which a call that waits checks whether there is an outage.
const OUTAGE_CHECK: Duration = Duration::from_millis(250);

/// Time to the next attempt where a file of the session cannot be read.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// A session with a replica.
pub(in crate::session) struct SessionReplica {
    id: SessionId,
    layout: Layout,
    replication: Arc<Replication>,
    notifier: Arc<Notifier>,
    local: Mutex<LocalSession>,
    /// Locked while it is stored or removed.
    stored: Mutex<Stored>,
    durable: RwLock<LocalSession>,
    /// Whether the replica has a manifest.
    is_created: AtomicBool,
    /// Whether another server continues the session.
    is_fenced: AtomicBool,
    /// Whether another one may have since the last manifest.
    is_owner_uncertain: AtomicBool,
    removal: Mutex<Removal>,
    absent: AbsentFiles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    None,
    Requested,
    Done,
}

/// How a session is continued with its replica.
pub(in crate::session) struct Position {
    pub(super) stored: Stored,
    pub(super) durable: Option<LocalSession>,
    pub(super) is_absent: bool,
}

impl Position {
    /// Of a new session.
    pub(in crate::session) fn new() -> Position {
        Position { stored: Stored::default(), durable: None, is_absent: false }
    }
}

impl fmt::Debug for SessionReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionReplica").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SessionReplica {
    /// For a session whose directory is current.
    pub(in crate::session) fn new(
        replication: &Arc<Replication>,
        layout: &Layout,
        manifest: Arc<Manifest>,
        uploaded: u64,
        notifier: Arc<Notifier>,
        position: Position,
    ) -> SessionReplica {
        let local = LocalSession { manifest, uploaded };
        SessionReplica {
            id: local.manifest.id,
            layout: layout.clone(),
            replication: Arc::clone(replication),
            notifier,
            durable: RwLock::new(position.durable.unwrap_or_else(|| local.clone())),
            local: Mutex::new(local),
            is_created: AtomicBool::new(position.stored.number > 0),
            stored: Mutex::new(position.stored),
            is_fenced: AtomicBool::new(false),
            is_owner_uncertain: AtomicBool::new(false),
            removal: Mutex::new(Removal::None),
            absent: AbsentFiles::new(position.is_absent),
        }
    }

    /// The manifest that the replica has, with a notice while it is away and has not all.
    pub(in crate::session) fn durable_manifest(&self) -> Arc<Manifest> {
        let durable = Arc::clone(&self.read_durable().manifest);
        match self.replication.outage() {
            Some(error) if !self.is_up_to_date() => {
                let mut manifest = Manifest::clone(&durable);
                manifest
                    .notices
                    .push(format!("nothing continues until the store is back: {error}"));
                Arc::new(manifest)
            }
            _ => durable,
        }
    }

    /// Bytes of the upload that the replica has.
    pub(in crate::session) fn durable_bytes(&self) -> u64 {
        self.read_durable().uploaded
    }

    /// Stores a new manifest.
    pub(in crate::session) fn changed(self: &Arc<Self>, manifest: Arc<Manifest>) {
        lock(&self.local).manifest = manifest;
        self.schedule(Instant::now());
    }

    /// Stores the upload, which has grown to `uploaded` bytes, once there is enough of it.
    pub(in crate::session) fn grown(self: &Arc<Self>, uploaded: u64) {
        lock(&self.local).uploaded = uploaded;
        let waiting = uploaded.saturating_sub(self.durable_bytes());
        let time = if waiting >= PIECE_BYTES { Duration::ZERO } else { COLLECTED };
        self.schedule(Instant::now() + time);
    }

    /// Stores what is missing now.
    pub(in crate::session) fn flush(self: &Arc<Self>) {
        self.schedule(Instant::now());
    }

    /// Waits until the replica has what `condition` requires of a manifest and a number of bytes.
    ///
    /// # Errors
    /// The error of the replica after `limit`, or once an outage lasts; an error if another server continues the session.
    pub(in crate::session) fn wait(
        &self,
        limit: Duration,
        condition: impl Fn(&Manifest, u64) -> bool,
    ) -> Result<(), ReplicaError> {
        let deadline = Instant::now() + limit;
        loop {
            let seen = self.notifier.version();
            {
                let durable = self.read_durable();
                if condition(&durable.manifest, durable.uploaded) {
                    return Ok(());
                }
            }
            if self.is_fenced() {
                return Err(ReplicaError { cause: WriteError::Fenced.to_string() });
            }
            if let Some(error) = self.replication.lasting_outage() {
                return Err(error);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let slow = || ReplicaError {
                    cause: format!("it has not stored all within {} s", limit.as_secs()),
                };
                return Err(self.replication.outage().unwrap_or_else(slow));
            }
            self.notifier.wait_newer(seen, left.min(OUTAGE_CHECK));
        }
    }

    /// Waits until a manifest of this session is in the replica.
    ///
    /// # Errors
    /// Those of [`SessionReplica::wait`].
    pub(in crate::session) fn wait_until_created(
        &self,
        limit: Duration,
    ) -> Result<(), ReplicaError> {
        self.wait(limit, |_, _| self.is_created.load(Ordering::Acquire))
    }

    /// Whether another server continues the session.
    pub(in crate::session) fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Acquire)
    }

    /// Whether this server is to continue the session: it has not ended.
    pub(in crate::session) fn needs_lease(&self) -> bool {
        let is_over = is_complete(&self.read_durable().manifest);
        !is_over && !self.is_fenced() && *lock(&self.removal) != Removal::Done
    }

    /// Ends the session here, as another server continues it.
    pub(super) fn fence(&self) {
        self.is_fenced.store(true, Ordering::Release);
        self.notifier.notify();
    }

    /// Ends the session here if another server continues it, by the manifests in the replica.
    pub(super) fn check_owner(self: &Arc<Self>) {
        self.is_owner_uncertain.store(true, Ordering::Release);
        self.schedule(Instant::now());
    }

    /// Removes the session from the replica, and then its directory. What fails is repeated until it succeeds.
    ///
    /// # Errors
    /// Those of the replica, if it has not succeeded within `limit`.
    pub(in crate::session) fn remove(
        self: &Arc<Self>,
        limit: Duration,
    ) -> Result<(), ReplicaError> {
        *lock(&self.removal) = Removal::Requested;
        self.schedule(Instant::now());
        self.wait(limit, |_, _| *lock(&self.removal) == Removal::Done)
    }

    /// Whether the upload and the stems are only in the replica.
    pub(in crate::session) fn is_absent(&self) -> bool {
        self.absent.are_absent()
    }

    /// Writes the upload and the stems to the disk, if they are only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn fetch(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.fetch(session)).map(drop)
    }

    /// Makes [`SessionReplica::read_stem`] possible, if the stems are only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn prepare_reading(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.prepare(session)).map(drop)
    }

    /// Writes the cover to the disk, if it is only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn fetch_cover(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.fetch_cover(session)).map(drop)
    }

    /// Reads `count` frames of a stem, if it is only in the replica; else `None`.
    ///
    /// # Errors
    /// Those of the replica; damage, if it has not all of them.
    pub(in crate::session) fn read_stem(
        &self,
        stem: &StemName,
        start: Frames,
        count: Frames,
    ) -> io::Result<Option<Vec<u8>>> {
        self.if_absent(|session| self.absent.read_stem(session, stem, start, count))
    }

    /// Removes the upload and the stems of a session that has ended from the disk, and what has been made from them, if the
    /// replica has them. Not while they are read. Returns whether it has.
    ///
    /// # Errors
    /// Those of the directory.
    pub(in crate::session) fn discard(&self) -> io::Result<bool> {
        if self.is_fenced() || !self.is_up_to_date() || *lock(&self.removal) != Removal::None {
            return Ok(false);
        }
        match self.ended_session().filter(|session| is_complete(&session.manifest)) {
            Some(session) => self.absent.discard(&session).map(|()| true),
            None => Ok(false),
        }
    }

    fn if_absent<T>(
        &self,
        read: impl FnOnce(&EndedSession) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        if !self.absent.are_absent() {
            return Ok(None);
        }
        self.ended_session().map(|session| read(&session)).transpose()
    }

    /// As the replica has it; `None` if it has no manifest.
    fn ended_session(&self) -> Option<EndedSession<'_>> {
        let stored = lock(&self.stored);
        Some(EndedSession {
            replica: self.replication.replica.as_ref(),
            keys: Keys(self.id),
            layout: &self.layout,
            number: stored.number,
            spans: stored.spans.clone(),
            manifest: stored.manifest.clone()?,
        })
    }

    /// Stores or removes the session. Returns when that is to be repeated.
    pub(super) fn work(&self, replication: &Replication) -> Option<Instant> {
        let mut stored = lock(&self.stored);
        let writer = replication.writer(self.id, &self.layout);
        let removal = *lock(&self.removal);
        let local = lock(&self.local).clone();
        let result = match removal {
            Removal::None if self.is_fenced() => return None,
            Removal::None => self
                .check_uncertain_owner(&writer, &stored)
                .and_then(|()| writer.store(&local, &mut stored)),
            Removal::Requested => writer.remove(&mut stored),
            Removal::Done => return None,
        };
        let number = stored.number;
        drop(stored);
        match result {
            Ok(()) => {
                replication.succeeded();
                if removal == Removal::Requested {
                    self.remove_directory();
                    *lock(&self.removal) = Removal::Done;
                } else {
                    self.publish(local, number);
                }
                self.notifier.notify();
                None
            }
            Err(WriteError::Store(error)) => {
                let again = replication.failed(error);
                self.notifier.notify();
                Some(again)
            }
            Err(error @ (WriteError::Fenced | WriteError::Removed)) => {
                // The store has answered.
                replication.succeeded();
                tracing::error!(session = %self.id, "{error}; it ends here");
                self.is_fenced.store(true, Ordering::Release);
                self.notifier.notify();
                None
            }
            // The next state of the session has been published meanwhile, or follows.
            Err(WriteError::Local(_)) if *lock(&self.local).manifest != *local.manifest => {
                Some(Instant::now())
            }
            Err(WriteError::Local(error)) => {
                tracing::error!(session = %self.id, %error, "the session is not stored in the object store");
                Some(Instant::now() + READ_AGAIN)
            }
        }
    }

    fn publish(&self, local: LocalSession, number: u64) {
        let absent = self.absent.are_absent();
        // Without it the directory would be restored at the next start.
        let mark = Mark { manifest: number, absent };
        if let Err(error) = mark.write(&self.layout) {
            tracing::warn!(session = %self.id, %error, "the state of the replica is not recorded");
        }
        *self.durable.write().unwrap_or_else(PoisonError::into_inner) = local;
        self.is_created.store(true, Ordering::Release);
        if let Some(leases) = self.replication.leases().filter(|_| !self.needs_lease()) {
            leases.wake();
        }
    }

    fn check_uncertain_owner(&self, writer: &Writer, stored: &Stored) -> Result<(), WriteError> {
        if stored.number > 0 && self.is_owner_uncertain.load(Ordering::Acquire) {
            writer.check_owner(stored)?;
            self.is_owner_uncertain.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn remove_directory(&self) {
        for result in [
            // The manifest first: a partly removed session is then removed at the next start.
            fs::remove_file(self.layout.manifest()),
            fs::remove_dir_all(self.layout.directory()),
        ] {
            match result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!(session = %self.id, %error, "cannot remove the session");
                }
                _ => {}
            }
        }
    }

    fn is_up_to_date(&self) -> bool {
        let (local, durable) = (lock(&self.local), self.read_durable());
        local.manifest == durable.manifest && local.uploaded == durable.uploaded
    }

    fn schedule(self: &Arc<Self>, due: Instant) {
        self.replication.queue.add(self.id, self, due);
    }

    fn read_durable(&self) -> std::sync::RwLockReadGuard<'_, LocalSession> {
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replication {
    pub(super) fn writer<'a>(&'a self, id: SessionId, layout: &'a Layout) -> Writer<'a> {
        Writer { replica: self.replica.as_ref(), keys: Keys(id), layout, owner: &self.owner }
    }
}

/// Every value behind these locks is consistent at any time, so a poisoned lock is no error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
