//! All sessions of a data directory.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::failure::SessionError;
use super::lifecycle::{State, StateWriter};
use super::manifest::{ManifestError, Plan, Timestamp};
use super::retention::{Retention, RetentionCandidate, expired};
use super::{Layout, Manifest, Session, SessionId, Settings};
use crate::files::sync_directory;

/// The sessions of a data directory, which belongs to one process at a time.
#[derive(Debug)]
pub struct Store {
    sessions_folder: PathBuf,
    index: RwLock<Index>,
    state_writer: Mutex<Option<StateWriter>>,
    /// Locked as long as the store lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Index {
    /// The moment at which the last session was opened.
    newest: Timestamp,
    by_id: HashMap<SessionId, Arc<Session>>,
    by_age: BTreeMap<(Timestamp, SessionId), Arc<Session>>,
    by_request: HashMap<Uuid, SessionId>,
}

/// A place in the list of sessions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    created: Timestamp,
    id: SessionId,
}

impl Store {
    /// Opens a data directory, makes it where it is not there, and finds its sessions.
    ///
    /// # Errors
    /// `WouldBlock` where another process has it; what the disk says.
    pub fn open(data: &Path) -> io::Result<Store> {
        let sessions_folder = data.join("sessions");
        fs::create_dir_all(&sessions_folder)?;
        let lock = File::create(data.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is in use by another stemwire", data.display()),
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        let state_writer = Mutex::new(Some(StateWriter::new()));
        let index = RwLock::default();
        let store = Store { sessions_folder, index, state_writer, _lock: lock };
        store.recover()?;
        Ok(store)
    }

    /// The folder that holds the sessions' directories.
    pub fn folder(&self) -> &Path {
        &self.sessions_folder
    }

    /// The permission to change the sessions' states; the first caller gets it.
    pub fn take_state_writer(&self) -> Option<StateWriter> {
        self.state_writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn recover(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.sessions_folder)? {
            let entry = entry?;
            let Ok(id) = entry.file_name().to_string_lossy().parse::<SessionId>() else { continue };
            let layout = Layout::new(&self.sessions_folder, id);
            match Manifest::read(&layout.manifest()) {
                Ok(manifest) if manifest.id == id => match Session::open(layout, manifest) {
                    Ok(session) => self.insert(Arc::new(session)),
                    Err(error) => {
                        tracing::error!(session = %id, %error, "cannot be opened; left alone");
                    }
                },
                Ok(manifest) => {
                    tracing::error!(session = %id, says = %manifest.id, "another's manifest; left alone");
                }
                Err(ManifestError::Storage(error)) if error.kind() == io::ErrorKind::NotFound => {
                    // A crash before its first manifest: nobody has been told of it. What cannot be
                    // removed is tried again by the next server.
                    let _ = fs::remove_dir_all(layout.directory());
                }
                Err(error @ ManifestError::Newer { .. }) => {
                    let remedy = "Start the version of Stemwire that wrote it, or a later one.";
                    tracing::error!(session = %id, %error, remedy, "the session is left alone");
                }
                Err(error) => {
                    tracing::error!(session = %id, %error, "the session is left alone");
                }
            }
        }
        Ok(())
    }

    /// Opens a new session; or answers the one that has this `request_id`, with `false`.
    ///
    /// # Errors
    /// `RequestConflict` where that session has other settings; `Storage`.
    pub fn create(
        &self,
        settings: Settings,
        plan: Plan,
    ) -> Result<(Arc<Session>, bool), SessionError> {
        if let Some(existing) = self.by_request(&settings)? {
            return Ok((existing, false));
        }
        let id = SessionId::random();
        let layout = Layout::new(&self.sessions_folder, id);
        let created = self.write().moment();
        let manifest =
            Manifest { created, updated: created, ..Manifest::new(id, settings.clone(), plan) };
        let session = make(&layout, manifest).inspect_err(|_| {
            // It has no manifest and would be removed at the next start.
            let _ = fs::remove_dir_all(layout.directory());
        })?;
        // Of two requests at the same moment, the first that comes here makes the session.
        let session = Arc::new(session);
        let mut index = self.write();
        match index.of_request(&settings) {
            Ok(None) => {
                index.insert(Arc::clone(&session));
                Ok((session, true))
            }
            other => {
                drop(index);
                let _ = fs::remove_dir_all(session.layout().directory());
                Ok((other?.unwrap_or(session), false))
            }
        }
    }

    /// The session that a request with these settings has opened before.
    ///
    /// # Errors
    /// `RequestConflict`.
    pub fn by_request(&self, settings: &Settings) -> Result<Option<Arc<Session>>, SessionError> {
        self.read().of_request(settings)
    }

    /// The session of that name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn find(&self, id: SessionId) -> Result<Arc<Session>, SessionError> {
        self.read().by_id.get(&id).cloned().ok_or(SessionError::NotFound(id))
    }

    /// All sessions, in no order.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.read().by_id.values().cloned().collect()
    }

    /// At most `count` sessions after `cursor`, newest first, and where the next page begins.
    pub fn page(
        &self,
        cursor: Option<PageCursor>,
        count: usize,
    ) -> (Vec<Arc<Session>>, Option<PageCursor>) {
        let index = self.read();
        let older: Box<dyn Iterator<Item = _>> = match cursor {
            None => Box::new(index.by_age.iter().rev()),
            Some(PageCursor { created, id }) => Box::new(index.by_age.range(..(created, id)).rev()),
        };
        let mut page: Vec<_> = older.take(count + 1).collect();
        let more = page.len() > count;
        page.truncate(count);
        let last = page.last().map(|((created, id), _)| PageCursor { created: *created, id: *id });
        (page.into_iter().map(|(_, session)| Arc::clone(session)).collect(), last.filter(|_| more))
    }

    /// Removes the files of a session whose state is [`State::Removed`]. Readers keep the files that they have opened.
    ///
    /// # Errors
    /// I/O errors from the session directory. The session is no longer found in any case.
    pub fn remove(&self, session: &Session) -> Result<(), SessionError> {
        debug_assert_eq!(session.lifecycle(), State::Removed);
        session.retire();
        {
            let mut index = self.write();
            let manifest = session.manifest();
            index.by_id.remove(&session.id());
            index.by_age.remove(&(manifest.created, session.id()));
            if let Some(request) = manifest.settings.request_id {
                index.by_request.remove(&request);
            }
        }
        // Without its manifest a half removed session is removed at the next start.
        fs::remove_file(session.layout().manifest())?;
        Ok(fs::remove_dir_all(session.layout().directory())?)
    }

    /// The sessions that retention removes now: ended ones that nobody reads.
    pub fn expired(&self, policy: Retention) -> Vec<Arc<Session>> {
        let candidate = |session: Arc<Session>| RetentionCandidate {
            id: session.id(),
            updated: session.manifest().updated,
            bytes: session.layout().stored_bytes(),
            removable: session.state().is_ended() && !session.has_readers(),
        };
        let candidates = self.all().into_iter().map(candidate).collect();
        let expired = expired(candidates, policy, Timestamp::now());
        expired.into_iter().filter_map(|id| self.find(id).ok()).collect()
    }

    /// Bytes that all sessions hold.
    pub fn stored_bytes(&self) -> u64 {
        self.all().iter().map(|session| session.layout().stored_bytes()).sum()
    }

    fn insert(&self, session: Arc<Session>) {
        self.write().insert(session);
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// This moment; a little later than that of the session before where both are within a millisecond, so that their
    /// order is told apart. A clock that was set back is believed.
    fn moment(&mut self) -> Timestamp {
        const A_LITTLE: u64 = 1_000;
        let now = Timestamp::now();
        let next = Timestamp(self.newest.0.saturating_add(1));
        let is_near = next.0.saturating_sub(now.0) < A_LITTLE;
        self.newest = if is_near { now.max(next) } else { now };
        self.newest
    }

    fn of_request(&self, settings: &Settings) -> Result<Option<Arc<Session>>, SessionError> {
        let Some(request) = settings.request_id else { return Ok(None) };
        let found = self.by_request.get(&request).and_then(|id| self.by_id.get(id)).cloned();
        match found {
            Some(session) if session.manifest().settings != *settings => {
                Err(SessionError::RequestConflict {
                    request_id: request.to_string(),
                    session: session.id(),
                })
            }
            found => Ok(found),
        }
    }

    fn insert(&mut self, session: Arc<Session>) {
        let manifest = session.manifest();
        self.newest = self.newest.max(manifest.created);
        if let Some(request) = manifest.settings.request_id {
            self.by_request.insert(request, session.id());
        }
        self.by_age.insert((manifest.created, session.id()), Arc::clone(&session));
        self.by_id.insert(session.id(), session);
    }
}

/// Makes a session's directory.
fn make(layout: &Layout, manifest: Manifest) -> io::Result<Session> {
    fs::create_dir(layout.directory())?;
    fs::create_dir(layout.stems())?;
    manifest.write(&layout.manifest())?;
    if let Some(folder) = layout.directory().parent() {
        sync_directory(folder)?;
    }
    Session::open(layout.clone(), manifest)
}

impl PageCursor {
    /// As text that a client gives back.
    pub fn to_token(self) -> String {
        format!("{:x}.{}", self.created.0, self.id)
    }

    /// Reads what [`PageCursor::to_token`] has written; `None` for anything else.
    pub fn from_token(token: &str) -> Option<PageCursor> {
        let (created, id) = token.split_once('.')?;
        let created = Timestamp(u64::from_str_radix(created, 16).ok()?);
        Some(PageCursor { created, id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
