//! Sessions of earlier processes. They are read in the background, or when they are requested.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Store;
use crate::session::manifest::ManifestError;
use crate::session::{Layout, Manifest, Session, SessionError, SessionId};

/// Recovers a session that was read from disk.
pub type Recover = Box<dyn Fn(&Arc<Session>) + Send + Sync>;

/// How sessions of earlier processes are read.
#[derive(Default)]
pub(super) struct Existing {
    /// Locked while a session is read, so that none is read twice.
    reading: Mutex<()>,
    recover: OnceLock<Recover>,
}

impl fmt::Debug for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Existing").finish_non_exhaustive()
    }
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

    /// Reads every session that has not been read, as long as `go_on` holds; returns whether all have been read.
    pub fn load_while(&self, go_on: impl Fn() -> bool) -> bool {
        loop {
            let Some(id) = self.read().unread.first().copied() else { return true };
            if !go_on() {
                return false;
            }
            self.read_existing(id);
        }
    }

    /// Whether every session has been read.
    pub fn is_loaded(&self) -> bool {
        self.read().unread.is_empty()
    }

    /// Measures the sessions in memory, for [`Store::stored_bytes`], as long as `go_on` holds.
    pub fn measure_while(&self, go_on: impl Fn() -> bool) {
        self.all().iter().take_while(|_| go_on()).for_each(|session| session.measure());
    }

    /// Reads a session, unless it has been read.
    pub(super) fn read_existing(&self, id: SessionId) {
        if !self.read().unread.contains(&id) {
            return;
        }
        let _one_at_a_time = self.existing.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.read().unread.contains(&id) {
            return;
        }
        let session = self.open_directory(id);
        let mut index = self.write();
        index.unread.remove(&id);
        if let Some(session) = session {
            index.insert(session);
        }
    }

    /// The session in this directory. A directory that cannot be read is logged and not changed.
    fn open_directory(&self, id: SessionId) -> Option<Arc<Session>> {
        let layout = Layout::new(&self.sessions_folder, id);
        match Manifest::read(&layout.manifest()) {
            Ok(manifest) if manifest.id == id => {
                match Session::open(layout, manifest, self.total.clone()) {
                    Ok(session) => {
                        let session = Arc::new(session);
                        if let Some(recover) = self.existing.recover.get() {
                            recover(&session);
                        }
                        return Some(session);
                    }
                    Err(error) => {
                        tracing::error!(session = %id, %error, "session not loaded; its files are not changed");
                    }
                }
            }
            Ok(manifest) => {
                tracing::error!(session = %id, manifest = %manifest.id, "manifest of another session; files are not changed");
            }
            Err(ManifestError::Storage(error)) if error.kind() == io::ErrorKind::NotFound => {
                // Left by a crash before the first manifest: no client has its id. If the removal fails, the next server
                // tries again.
                let _ = fs::remove_dir_all(layout.directory());
            }
            Err(ManifestError::Newer { version }) => {
                let error = SessionError::VersionUnsupported { session: id, version };
                let remedy = error.remedy();
                tracing::error!(session = %id, %error, remedy, "session not loaded; its files are not changed");
                self.write().newer.insert(id, version);
            }
            Err(error) => {
                tracing::error!(session = %id, %error, "session not loaded; its files are not changed");
            }
        }
        None
    }
}
