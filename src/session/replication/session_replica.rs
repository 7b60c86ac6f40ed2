//! A session and its replica: what is stored, what is to be stored, and waiting for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::Replication;
use super::ended_session::AbsentFiles;
use super::restore::is_complete;
use super::writer::{LocalSession, PIECE_BYTES, Stored, WriteError};
use crate::session::manifest::Manifest;
use crate::session::notifier::Notifier;
use crate::session::replica::ReplicaError;
use crate::session::{Layout, SessionId};

/// How long bytes of an upload are collected, unless there is enough for a piece or a call waits for them.
const COLLECTED: Duration = Duration::from_secs(1);

/// Interval at which a call that waits checks whether there is an outage.
const OUTAGE_CHECK: Duration = Duration::from_millis(250);

/// A session with a replica.
pub(in crate::session) struct SessionReplica {
    pub(super) id: SessionId,
    pub(super) layout: Layout,
    pub(super) replication: Arc<Replication>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) local: Mutex<LocalSession>,
    /// Locked while it is stored or removed.
    pub(super) stored: Mutex<Stored>,
    pub(super) durable: RwLock<LocalSession>,
    /// The number of the manifest that is durable; 0 if the replica has none.
    pub(super) durable_number: AtomicU64,
    /// Whether another server continues the session.
    is_fenced: AtomicBool,
    /// Whether another one may have since the last manifest.
    pub(super) is_owner_uncertain: AtomicBool,
    /// When the replica last showed that no other server has changed it. Locked while that is found out for a call.
    pub(super) confirmed: Mutex<Option<Instant>>,
    pub(super) removal: Mutex<Removal>,
    pub(super) absent: AbsentFiles,
}

/// How far the removal of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    None,
    /// The replica does not have it yet: it may be lost with this server.
    Requested,
    /// It is finished by any server.
    Recorded,
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
            durable_number: AtomicU64::new(position.stored.number),
            stored: Mutex::new(position.stored),
            is_fenced: AtomicBool::new(false),
            is_owner_uncertain: AtomicBool::new(false),
            confirmed: Mutex::default(),
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
        self.wait(limit, |_, _| self.is_created())
    }

    fn is_created(&self) -> bool {
        self.durable_number.load(Ordering::Acquire) > 0
    }

    /// Whether another server continues the session.
    pub(in crate::session) fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Acquire)
    }

    /// Whether it was ended before it was stored: another session has its request.
    pub(in crate::session) fn is_superseded(&self) -> bool {
        self.is_fenced() && !self.is_created()
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

    pub(super) fn is_up_to_date(&self) -> bool {
        let (local, durable) = (lock(&self.local), self.read_durable());
        local.manifest == durable.manifest && local.uploaded == durable.uploaded
    }

    pub(super) fn schedule(self: &Arc<Self>, due: Instant) {
        self.replication.queue.add(self.id, self, due);
    }

    fn read_durable(&self) -> std::sync::RwLockReadGuard<'_, LocalSession> {
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every value behind these locks is consistent at any time, so a poisoned lock is no error.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
