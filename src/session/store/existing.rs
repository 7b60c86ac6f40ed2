//! Sessions of earlier processes. They are read in the background, or when they are requested.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Store;
use super::shared::AbsentIds;
use crate::files::Shortage;
use crate::session::leases::SessionOwner;
use crate::session::manifest::ManifestError;
use crate::session::replication::Attached;
use crate::session::stored_size::StoredSize;
use crate::session::{Layout, Manifest, Session, SessionError, SessionId};

/// Recovers a session that was read from disk.
pub type Recover = Box<dyn Fn(&Arc<Session>) + Send + Sync>;

/// How sessions of earlier processes are read.
#[derive(Default)]
pub(super) struct Existing {
    /// Locked while a session is read, so that none is read twice.
    reading: Mutex<()>,
    recover: OnceLock<Recover>,
    /// Ids without a session that were asked for.
    pub(super) absent: AbsentIds,
}

impl Existing {
    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Existing").finish_non_exhaustive()
    }
}

/// What a directory is found to hold.
enum Found {
    Session(Arc<Session>),
    /// What another server of the cluster continues.
    Elsewhere(SessionOwner),
    /// Nothing that a client knows.
    Nothing,
    /// What is left of a session that is removed.
    Remains,
    /// A session of a later version, and which.
    Newer(u32),
    /// Something that cannot be read, and what it takes on the disk.
    Unreadable(StoredSize),
}

/// The sessions that have a directory in `folder`.
pub(super) fn session_ids(folder: &Path) -> io::Result<BTreeSet<SessionId>> {
    let id = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().parse().ok()).transpose()
    };
    fs::read_dir(folder)?.filter_map(id).collect()
}

impl Store {
    /// Applies `recover` to every session that is read from now on, before others can find it. The first one that is
    /// given stays. It must not look for sessions itself.
    pub fn recover_with(&self, recover: Recover) {
        // There is one scheduler to a store.
        let _ = self.existing.recover.set(recover);
    }

    /// Reads every session that has not been read.
    pub fn load(&self) {
        self.load_while(|| true);
    }

    /// Reads every session that has not been read, as long as `go_on` holds; returns whether it held. What a limit of
    /// the system forbids to read now, such as that of open files, is left for the next time.
    pub fn load_while(&self, go_on: impl Fn() -> bool) -> bool {
        self.skip_elsewhere();
        let unread = self.read().unread.clone();
        unread.into_iter().all(|id| {
            let goes_on = go_on();
            if goes_on {
                // An error is logged, or passes.
                let _ = self.read_existing(id);
            }
            goes_on
        })
    }

    /// Whether every session has been read.
    pub fn is_loaded(&self) -> bool {
        self.read().unread.is_empty()
    }

    /// Measures the sessions in memory, for [`Store::stored_bytes`], as long as `go_on` holds.
    pub fn measure_while(&self, go_on: impl Fn() -> bool) {
        self.all().iter().take_while(|_| go_on()).for_each(|session| session.measure());
    }

    /// Reads a session, unless it has been read. In a cluster, other servers may have created it since.
    ///
    /// # Errors
    /// I/O errors that pass: the session is still unread; `Elsewhere`; `VersionUnsupported` in a cluster; `NotFound` and
    /// `Replica` while it is being removed.
    pub(super) fn read_existing(&self, id: SessionId) -> Result<(), SessionError> {
        let replication = self.replication.as_ref();
        if let Some(error) = replication.and_then(|replication| replication.removal_error(id)) {
            return Err(error);
        }
        if !self.may_be_unread(id) {
            return Ok(());
        }
        // Without waiting for a session that is being read.
        if let Some(leases) = self.leases()
            && let Ok(Some(owner)) = leases.elsewhere(id)
        {
            self.leave_out(id);
            return Err(SessionError::Elsewhere { session: id, owner });
        }
        let _one_at_a_time = self.existing.lock();
        if !self.may_be_unread(id) {
            return Ok(());
        }
        let found = self.open_directory(id);
        if let Some(leases) = self.leases()
            && !matches!(found, Ok(Found::Session(_)))
        {
            leases.release(id);
        }
        let found = found?;
        if let Found::Remains = found {
            // It stays unread, so that its removal is tried again.
            return Err(SessionError::NotFound(id));
        }
        let mut index = self.write();
        index.unread.remove(&id);
        match found {
            Found::Session(session) => index.insert(session),
            Found::Elsewhere(owner) => {
                return Err(SessionError::Elsewhere { session: id, owner });
            }
            Found::Nothing if self.leases().is_some() => self.existing.absent.note(id),
            Found::Nothing | Found::Remains => {}
            // A server of that version may join the cluster, and have it.
            Found::Newer(version) if self.leases().is_some() => {
                return Err(SessionError::VersionUnsupported { session: id, version });
            }
            Found::Newer(version) => {
                index.newer.insert(id, version);
                let error = SessionError::VersionUnsupported { session: id, version };
                let remedy = error.remedy();
                tracing::error!(session = %id, %error, remedy, "session not loaded; its files are not changed");
            }
            Found::Unreadable(size) => {
                index.unreadable.insert(id, size);
            }
        }
        Ok(())
    }

    /// What is in this directory. What cannot be read is logged and not changed.
    ///
    /// # Errors
    /// I/O errors that pass.
    fn open_directory(&self, id: SessionId) -> io::Result<Found> {
        let layout = Layout::new(&self.sessions_folder, id);
        let position = match &self.replication {
            None => None,
            Some(replication) => match replication.attach(id, &layout)? {
                Attached::Directory(position) => Some((replication, position)),
                Attached::Newer(version) => return Ok(Found::Newer(version)),
                Attached::Elsewhere(owner) => {
                    // What it is worth is in the store.
                    let _ = layout.remove();
                    return Ok(Found::Elsewhere(owner));
                }
                Attached::Nothing => {
                    // If the removal fails, the next server tries again.
                    let _ = layout.remove();
                    return Ok(Found::Nothing);
                }
                Attached::Removed(error) => {
                    tracing::error!(session = %id, %error, "objects of a removed session are left");
                    let _ = layout.remove();
                    return Ok(Found::Remains);
                }
            },
        };
        let cause = match Manifest::read(&layout.manifest()) {
            Ok(manifest) if manifest.id == id => {
                match Session::open(layout.clone(), manifest, self.total.clone(), position) {
                    Ok(session) => {
                        let session = Arc::new(session);
                        if let Some(recover) = self.existing.recover.get() {
                            recover(&session);
                        }
                        if let Some(replica) = session.replica() {
                            self.keep_lease(&session);
                            replica.flush();
                        }
                        return Ok(Found::Session(session));
                    }
                    Err(error) => ManifestError::Storage(error),
                }
            }
            Ok(manifest) => {
                tracing::error!(session = %id, manifest = %manifest.id, "manifest of another session; files are not changed");
                return Ok(self.unreadable_directory(&layout));
            }
            Err(ManifestError::Storage(error)) if error.kind() == io::ErrorKind::NotFound => {
                // Left by a crash before the first manifest: no client has its id. If the removal fails, the next server
                // tries again.
                let _ = layout.remove();
                return Ok(Found::Nothing);
            }
            Err(ManifestError::Newer { version }) => return Ok(Found::Newer(version)),
            Err(error) => error,
        };
        match cause {
            ManifestError::Storage(error) if Shortage::of(&error).is_some() => Err(error),
            error => {
                tracing::error!(session = %id, %error, "session not loaded; its files are not changed");
                Ok(self.unreadable_directory(&layout))
            }
        }
    }

    fn unreadable_directory(&self, layout: &Layout) -> Found {
        let size = StoredSize::new(self.total.clone());
        size.measure(|| layout.allocated_bytes());
        Found::Unreadable(size)
    }
}
