//! All sessions of a data directory.

mod cursor;
mod damaged;
mod data_folder;
mod existing;
mod index;
mod opening;
mod pages;
mod shared;

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

pub use cursor::PageCursor;
pub use damaged::damaged_sessions;
pub use existing::Recover;

use existing::Existing;
use index::{Index, check_request};

use super::SessionError;
use super::disk_space::{SpaceGuard, SpaceLimits};
use super::lifecycle::{State, StateWriter};
use super::manifest::{Plan, Timestamp};
use super::replica::{ReplicaError, ReplicaObserver};
use super::replication::{Position, Replication};
use super::retention::{Retention, RetentionCandidate, expired};
use super::stored_size::TotalSize;
use super::{Layout, Manifest, Session, SessionId, Settings};
use crate::files::sync_directory;

/// The sessions of a data directory, which belongs to one process at a time.
#[derive(Debug)]
pub struct Store {
    sessions_folder: PathBuf,
    index: RwLock<Index>,
    existing: Existing,
    total: TotalSize,
    /// `None` if the sessions are only on the disk.
    replication: Option<Arc<Replication>>,
    state_writer: Mutex<Option<StateWriter>>,
    /// Locked while the store lives.
    _lock: File,
}

/// The name of the folder of sessions.
const SESSIONS_FOLDER: &str = "sessions";

/// What the files of a session take on the disk at most that stay there when the others are only in the replica. A cover may
/// take more.
const DISCARDED_BYTES: u64 = 64 << 10;

/// How long a removal waits for the replica.
const REMOVAL_TIME: Duration = Duration::from_secs(10);

impl Store {
    /// The folder that holds the sessions' directories.
    pub fn folder(&self) -> &Path {
        &self.sessions_folder
    }

    /// The permission to change the sessions' states; the first caller gets it.
    pub fn take_state_writer(&self) -> Option<StateWriter> {
        self.state_writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Creates a session; or returns the one that has this `request_id`, with `false`.
    ///
    /// # Errors
    /// `RequestConflict` if that session has other settings; `Storage`.
    pub fn create(
        &self,
        settings: Settings,
        plan: Plan,
    ) -> Result<(Arc<Session>, bool), SessionError> {
        self.create_for(None, settings, plan)
    }

    /// The same for the client at this address, which is recorded.
    ///
    /// # Errors
    /// Those of [`Store::create`].
    pub fn create_for(
        &self,
        client: Option<IpAddr>,
        settings: Settings,
        plan: Plan,
    ) -> Result<(Arc<Session>, bool), SessionError> {
        if let Some(existing) = self.by_request(&settings)? {
            return Ok((existing, false));
        }
        let id = SessionId::random();
        let layout = Layout::new(&self.sessions_folder, id);
        let created = self.write().moment();
        let manifest = Manifest::new(id, settings.clone(), plan);
        let manifest = Manifest { created, updated: created, client, ..manifest };
        let replica = self.replication.as_ref().map(|all| (all, Position::new()));
        let session = make(&layout, manifest, self.total.clone(), replica).inspect_err(|_| {
            // Without a manifest it would be removed at the next start.
            let _ = layout.remove();
        })?;
        // Of two concurrent requests, the first to get here creates the session.
        let session = Arc::new(session);
        let mut index = self.write();
        match index.of_request(&settings) {
            Ok(None) => {
                index.insert(Arc::clone(&session));
                drop(index);
                session.measure();
                if let Some(replica) = session.replica() {
                    // Before a client has its id.
                    self.keep_lease(&session);
                    replica.flush();
                }
                Ok((session, true))
            }
            other => {
                drop(index);
                let _ = session.layout().remove();
                Ok((other?.unwrap_or(session), false))
            }
        }
    }

    /// The session that a request with these settings has created before, on any server of the replica. Without a replica,
    /// reads all sessions first if it may be among those that have not been read.
    ///
    /// # Errors
    /// `RequestConflict`; those of [`Store::find`]; those of the replica.
    pub fn by_request(&self, settings: &Settings) -> Result<Option<Arc<Session>>, SessionError> {
        let Some(request) = settings.request_id else { return Ok(None) };
        let found = self.read().requested(request);
        match found.map(|found| self.check_here(found)).transpose() {
            // Another server has removed it.
            Ok(None) | Err(SessionError::NotFound(_)) => {}
            Ok(Some(found)) => return check_request(found, settings).map(Some),
            Err(error) => return Err(error),
        }
        match &self.replication {
            Some(replication) => self.by_stored_request(replication, request, settings),
            None => {
                self.load();
                self.read().of_request(settings)
            }
        }
    }

    /// The session with this id, from disk if it has not been read.
    ///
    /// # Errors
    /// `NotFound`; `VersionUnsupported`; `Unreadable`; I/O errors that pass. In a cluster, `Elsewhere` and `Lease`.
    pub fn find(&self, id: SessionId) -> Result<Arc<Session>, SessionError> {
        self.read_existing(id)?;
        let session = self.read().find(id)?;
        self.check_here(session)
    }

    /// The session with this id, if it is in memory, and it is certain that no other server continues or has removed it; touches
    /// no file.
    pub fn find_certain(&self, id: SessionId) -> Option<Arc<Session>> {
        self.find_loaded(id).filter(|session| self.is_certain(session))
    }

    fn find_loaded(&self, id: SessionId) -> Option<Arc<Session>> {
        self.read().by_id.get(&id).filter(|session| !session.is_fenced()).cloned()
    }

    /// The sessions in memory, in no order. They are all sessions once [`Store::load`] has returned.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.read().by_id.values().cloned().collect()
    }

    /// Removes the files of a session whose state is [`State::Removed`]. Readers find nothing from then on.
    ///
    /// # Errors
    /// I/O errors from the session directory; those of the replica, which is tried again until the session is removed there,
    /// and until it is recorded there, the session is not found to be gone: `Replica`.
    pub fn remove(&self, session: &Session) -> Result<(), SessionError> {
        debug_assert_eq!(session.lifecycle(), State::Removed);
        session.retire();
        if let Some(replica) = session.replica() {
            // While it is still found, so that no call reads it again.
            replica.request_removal();
        }
        self.write().remove(session);
        match session.replica() {
            Some(replica) => Ok(replica.wait_for_removal(REMOVAL_TIME)?),
            None => Ok(session.layout().remove()?),
        }
    }

    /// The sessions that retention removes now: ended ones without readers. None before all sessions have been read, as
    /// the oldest go first.
    pub fn expired(&self, policy: Retention) -> Vec<Arc<Session>> {
        if !self.is_loaded() {
            return Vec::new();
        }
        let candidate = |session: Arc<Session>| RetentionCandidate {
            id: session.id(),
            updated: session.manifest().updated,
            bytes: session.kept_bytes(),
            removable: session.state().is_ended() && !session.has_readers(),
        };
        let candidates = self.all().into_iter().map(candidate).collect();
        let expired = expired(candidates, policy, Timestamp::now());
        expired.into_iter().filter_map(|id| self.find(id).ok()).collect()
    }

    /// Removes files from the disk that are in the replica, too, until the others take at most `most` bytes: those of sessions
    /// that have ended, the least recently read first.
    pub fn trim_cache(&self, most: u64) {
        if self.stored_bytes() <= most {
            return;
        }
        let mut sessions = self.all();
        sessions.retain(|session| {
            session.state().is_ended() && session.stored_bytes() > DISCARDED_BYTES
        });
        sessions.sort_by_key(|session| session.last_read());
        for session in sessions {
            if self.stored_bytes() <= most {
                return;
            }
            session.discard_files();
        }
    }

    /// Allocated bytes of all sessions, from a counter: no file is read. Sessions of an earlier process count once they
    /// have been measured.
    pub fn stored_bytes(&self) -> u64 {
        self.total.get()
    }

    /// Whether sessions are kept in a replica.
    pub fn is_replicated(&self) -> bool {
        self.replication.is_some()
    }

    /// Reports calls of the replica to `observer`.
    pub fn observe_replica(&self, observer: Arc<dyn ReplicaObserver>) {
        if let Some(replication) = &self.replication {
            replication.observe(observer);
        }
    }

    /// The error of the replica, while it is away.
    pub fn outage(&self) -> Option<ReplicaError> {
        self.replication.as_ref().and_then(|replication| replication.outage())
    }

    /// Stores in the replica what is missing there, as far as there is time. Returns whether all is stored.
    pub fn drain(&self, deadline: Instant) -> bool {
        self.replication.as_ref().is_none_or(|replication| replication.drain(deadline))
    }

    /// A guard of the disk space that its sessions use.
    pub fn space_guard(&self, limits: SpaceLimits) -> SpaceGuard {
        SpaceGuard::new(self.sessions_folder.clone(), limits, self.total.clone())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a session's directory.
fn make(
    layout: &Layout,
    manifest: Manifest,
    total: TotalSize,
    replica: Option<(&Arc<Replication>, Position)>,
) -> io::Result<Session> {
    fs::create_dir(layout.directory())?;
    fs::create_dir(layout.stems())?;
    manifest.write(&layout.manifest())?;
    if let Some(folder) = layout.directory().parent() {
        sync_directory(folder)?;
    }
    Session::open(layout.clone(), manifest, total, replica)
}

#[cfg(test)]
mod tests;
