//! All sessions of a data directory.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use super::failure::SessionError;
use super::manifest::{Plan, Timestamp, sync_directory};
use super::retention::{Candidate, Retention, expired};
use super::{Layout, Manifest, Session, SessionId, Settings};

/// The sessions of a data directory, which belongs to one process at a time.
#[derive(Debug)]
pub struct Store {
    sessions_folder: PathBuf,
    index: RwLock<Index>,
    /// Locked as long as the store lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<SessionId, Arc<Session>>,
    by_age: BTreeMap<(Timestamp, SessionId), Arc<Session>>,
    by_request: HashMap<Uuid, SessionId>,
}

/// A place in the list of sessions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
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
        let store = Store { sessions_folder, index: RwLock::default(), _lock: lock };
        store.recover()?;
        Ok(store)
    }

    /// The folder that holds the sessions' directories.
    pub fn folder(&self) -> &Path {
        &self.sessions_folder
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
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // A crash before its first manifest: nobody has been told of it. What cannot be
                    // removed is tried again by the next server.
                    let _ = fs::remove_dir_all(layout.directory());
                }
                Err(error) => {
                    tracing::error!(session = %id, %error, "its manifest is not readable; left alone");
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
        let session =
            make(&layout, Manifest::new(id, settings.clone(), plan)).inspect_err(|_| {
                // It has no manifest and would be removed at the next start.
                let _ = fs::remove_dir_all(layout.directory());
            })?;
        // Of two requests at the same moment, the first that comes here makes the session.
        let session = Arc::new(session);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = settings.request_id.and_then(|request| index.by_request.get(&request))
        {
            let other = index.by_id.get(other).cloned();
            drop(index);
            let _ = fs::remove_dir_all(session.layout().directory());
            return other.map(|other| (other, false)).ok_or(SessionError::NotFound(id));
        }
        index.insert(Arc::clone(&session));
        Ok((session, true))
    }

    /// The session that a request with these settings has opened before.
    ///
    /// # Errors
    /// `RequestConflict`.
    pub fn by_request(&self, settings: &Settings) -> Result<Option<Arc<Session>>, SessionError> {
        let Some(request) = settings.request_id else { return Ok(None) };
        let index = self.read();
        let found = index.by_request.get(&request).and_then(|id| index.by_id.get(id)).cloned();
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
        cursor: Option<Cursor>,
        count: usize,
    ) -> (Vec<Arc<Session>>, Option<Cursor>) {
        let index = self.read();
        let older: Box<dyn Iterator<Item = _>> = match cursor {
            None => Box::new(index.by_age.iter().rev()),
            Some(Cursor { created, id }) => Box::new(index.by_age.range(..(created, id)).rev()),
        };
        let mut page: Vec<_> = older.take(count + 1).collect();
        let more = page.len() > count;
        page.truncate(count);
        let last = page.last().map(|((created, id), _)| Cursor { created: *created, id: *id });
        (page.into_iter().map(|(_, session)| Arc::clone(session)).collect(), last.filter(|_| more))
    }

    /// Removes a session, which must not be computing, and its files; readers keep what they have
    /// opened.
    ///
    /// # Errors
    /// What the disk says. The session is not found any more in any case.
    pub fn remove(&self, session: &Session) -> io::Result<()> {
        session.retire();
        {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            let manifest = session.manifest();
            index.by_id.remove(&session.id());
            index.by_age.remove(&(manifest.created, session.id()));
            if let Some(request) = manifest.settings.request_id {
                index.by_request.remove(&request);
            }
        }
        // Without its manifest a half removed session is removed at the next start.
        fs::remove_file(session.layout().manifest())?;
        fs::remove_dir_all(session.layout().directory())
    }

    /// Removes the sessions that the policy lets go; answers how many.
    pub fn apply(&self, policy: Retention) -> usize {
        let candidate = |session: Arc<Session>| Candidate {
            id: session.id(),
            updated: session.manifest().updated,
            bytes: session.layout().stored_bytes(),
            removable: session.state().is_ended() && !session.is_read(),
        };
        let candidates = self.all().into_iter().map(candidate).collect();
        let mut removed = 0;
        for id in expired(candidates, policy, Timestamp::now()) {
            let Ok(session) = self.find(id) else { continue };
            match self.remove(&session) {
                Ok(()) => removed += 1,
                Err(error) => tracing::error!(session = %id, %error, "could not be removed"),
            }
        }
        removed
    }

    /// Bytes that all sessions hold.
    pub fn stored_bytes(&self) -> u64 {
        self.all().iter().map(|session| session.layout().stored_bytes()).sum()
    }

    fn insert(&self, session: Arc<Session>) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).insert(session);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn insert(&mut self, session: Arc<Session>) {
        let manifest = session.manifest();
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

impl Cursor {
    /// As text that a client gives back.
    pub fn to_token(self) -> String {
        format!("{:x}.{}", self.created.0, self.id)
    }

    /// Reads what [`Cursor::to_token`] has written; `None` for anything else.
    pub fn from_token(token: &str) -> Option<Cursor> {
        let (created, id) = token.split_once('.')?;
        let created = Timestamp(u64::from_str_radix(created, 16).ok()?);
        Some(Cursor { created, id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audio::{Frames, Hertz};
    use crate::session::State;

    fn plan() -> Plan {
        let stems = vec!["vocals".parse().unwrap()];
        let (model_rate, segment) = (Hertz(44_100), Frames(176_400));
        let (model, columns) = ("mini".into(), None);
        Plan { model, model_rate, segment, stems, overlap: 0.25, columns }
    }

    fn named(request: Uuid) -> Settings {
        Settings { request_id: Some(request), ..Settings::default() }
    }

    #[test]
    fn sessions_are_found_again_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let request = Uuid::new_v4();
        let store = Store::open(data.path()).unwrap();
        let (session, new) = store.create(named(request), plan()).unwrap();
        assert!(new);
        session.add_bytes(0, b"abc", 100).unwrap();
        let id = session.id();
        assert_eq!(Store::open(data.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop((session, store));
        fs::create_dir(data.path().join("sessions").join(SessionId::random().to_string())).unwrap();
        let store = Store::open(data.path()).unwrap();
        assert_eq!(store.find(id).unwrap().uploaded(), 3);
        let (again, new) = store.create(named(request), plan()).unwrap();
        assert_eq!((again.id(), new), (id, false));
        assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 1);
    }

    #[test]
    fn one_request_is_one_session() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let request = Uuid::new_v4();
        let (first, _) = store.create(named(request), plan()).unwrap();
        let other = Settings { file_name: "other".into(), ..named(request) };
        let error = store.create(other, plan()).unwrap_err();
        assert!(
            matches!(error, SessionError::RequestConflict { session, .. } if session == first.id())
        );
        let (unnamed, new) = store.create(Settings::default(), plan()).unwrap();
        assert!(new && unnamed.id() != first.id());
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        for _ in 0..7 {
            store.create(Settings::default(), plan()).unwrap();
        }
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let (page, next) = store.page(cursor, 3);
            seen.extend(page.iter().map(|session| (session.manifest().created, session.id())));
            let Some(next) = next else { break };
            assert_eq!(Cursor::from_token(&next.to_token()), Some(next));
            cursor = Some(next);
        }
        assert_eq!(seen.len(), 7);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
        assert_eq!(Cursor::from_token("nonsense"), None);
    }

    #[test]
    fn retention_spares_what_runs_and_what_is_read() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let policy = Retention { age: Duration::ZERO, bytes: 0 };
        let (session, _) = store.create(Settings::default(), plan()).unwrap();
        assert_eq!(store.apply(policy), 0);
        session.cancel();
        let reading = session.reading();
        assert_eq!(store.apply(policy), 0);
        drop(reading);
        assert_eq!(store.apply(policy), 1);
        assert!(matches!(store.find(session.id()), Err(SessionError::NotFound(_))));
        assert!(!session.layout().directory().exists());
    }

    #[test]
    fn an_upload_is_finished_once_and_checked() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let (session, _) = store.create(Settings::default(), plan()).unwrap();
        session.add_bytes(0, b"abc", 100).unwrap();
        assert!(matches!(
            session.finish_upload(4, None),
            Err(SessionError::UploadIncomplete { .. })
        ));
        assert!(matches!(
            session.finish_upload(2, None),
            Err(SessionError::UploadSizeMismatch { .. })
        ));
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        session.finish_upload(3, Some(abc)).unwrap();
        session.finish_upload(3, None).unwrap();
        assert_eq!(session.state(), State::Running);
        assert!(matches!(
            session.add_bytes(3, b"d", 100),
            Err(SessionError::UploadFinished { .. })
        ));
        session.add_bytes(0, b"abc", 100).unwrap();

        let (damaged, _) = store.create(Settings::default(), plan()).unwrap();
        damaged.add_bytes(0, b"abd", 100).unwrap();
        assert!(matches!(damaged.finish_upload(3, Some(abc)), Err(SessionError::Failed(_))));
        assert_eq!(damaged.state(), State::Failed);
        let (empty, _) = store.create(Settings::default(), plan()).unwrap();
        assert!(matches!(empty.finish_upload(0, None), Err(SessionError::Failed(_))));
    }
}
