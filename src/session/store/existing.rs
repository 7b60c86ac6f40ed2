//! Sessions of earlier processes. They are read in the background, or when they are requested.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{SESSIONS_FOLDER, Store};
use crate::session::manifest::ManifestError;
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
        let read = self.open_directory(id);
        let mut index = self.write();
        index.unread.remove(&id);
        match read {
            Ok(Some(session)) => index.insert(session),
            Ok(None) => {}
            Err(size) => {
                index.unreadable.insert(id, size);
            }
        }
    }

    /// How many directories could not be read, except those of later versions. Complete once all have been tried.
    pub fn unreadable(&self) -> usize {
        self.read().unreadable.len()
    }

    /// Removes the directories with a damaged manifest that have not changed for longer than `age`. Returns how many.
    pub fn remove_damaged(&self, age: Duration) -> usize {
        let unreadable: Vec<_> = self.read().unreadable.keys().copied().collect();
        let remove = |id: &SessionId| {
            let layout = Layout::new(&self.sessions_folder, *id);
            if !is_older(&layout, age) || !has_damaged_manifest(&layout) {
                return false;
            }
            match fs::remove_dir_all(layout.directory()) {
                Ok(()) => {
                    tracing::warn!(session = %id, "removed a session with an unreadable manifest");
                    if let Some(size) = self.write().unreadable.remove(id) {
                        size.end();
                    }
                    true
                }
                Err(error) => {
                    tracing::error!(session = %id, %error, "cannot remove the session");
                    false
                }
            }
        };
        unreadable.iter().filter(|id| remove(id)).count()
    }

    /// The session in this directory; `None` if it has none, or one of a later version.
    ///
    /// # Errors
    /// What a directory takes on the disk that cannot be read. It is logged and not changed.
    fn open_directory(&self, id: SessionId) -> Result<Option<Arc<Session>>, StoredSize> {
        let layout = Layout::new(&self.sessions_folder, id);
        match Manifest::read(&layout.manifest()) {
            Ok(manifest) if manifest.id == id => {
                match Session::open(layout.clone(), manifest, self.total.clone()) {
                    Ok(session) => {
                        let session = Arc::new(session);
                        if let Some(recover) = self.existing.recover.get() {
                            recover(&session);
                        }
                        return Ok(Some(session));
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
                return Ok(None);
            }
            Err(ManifestError::Newer { version }) => {
                let error = SessionError::VersionUnsupported { session: id, version };
                let remedy = error.remedy();
                tracing::error!(session = %id, %error, remedy, "session not loaded; its files are not changed");
                self.write().newer.insert(id, version);
                return Ok(None);
            }
            Err(error) => {
                tracing::error!(session = %id, %error, "session not loaded; its files are not changed");
            }
        }
        let size = StoredSize::new(self.total.clone());
        size.measure(|| layout.allocated_bytes());
        Err(size)
    }
}

/// The sessions in a data directory whose manifest is damaged. Changes nothing, so a server may use the directory.
///
/// # Errors
/// I/O errors of the data directory, except that it has no sessions.
pub fn damaged_sessions(data: &Path) -> io::Result<Vec<SessionId>> {
    let folder = data.join(SESSIONS_FOLDER);
    match session_ids(&folder) {
        Ok(ids) => {
            let is_damaged = |id: &SessionId| has_damaged_manifest(&Layout::new(&folder, *id));
            Ok(ids.into_iter().filter(is_damaged).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether the manifest is none, for good: errors of reading the file may pass, and later versions can read theirs.
fn has_damaged_manifest(layout: &Layout) -> bool {
    matches!(Manifest::read(&layout.manifest()), Err(ManifestError::Invalid(_)))
}

/// Whether neither a directory nor its manifest has changed for longer than `age`.
fn is_older(layout: &Layout, age: Duration) -> bool {
    let elapsed = |path: &Path| fs::metadata(path)?.modified()?.elapsed().map_err(io::Error::other);
    [layout.directory(), &layout.manifest()]
        .iter()
        .all(|path| elapsed(path).is_ok_and(|time| time > age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Frames, Hertz};
    use crate::session::Settings;
    use crate::session::lifecycle::State;
    use crate::session::manifest::Plan;

    const KEEP: Duration = Duration::from_secs(3600);

    fn create(store: &Store) -> Layout {
        let (stems, columns) = (vec!["vocals".parse().unwrap()], None);
        let (model_rate, segment) = (Hertz(44_100), Frames(176_400));
        let plan = Plan {
            model: "mini".into(),
            model_rate,
            segment,
            stems,
            overlap: 0.25,
            columns,
            silent_passages: true,
        };
        let (session, _) = store.create(Settings::default(), plan).unwrap();
        session.end_for_test(State::Cancelled);
        session.layout().clone()
    }

    /// Replaces a manifest by `change` of it.
    fn damage(layout: &Layout, change: impl Fn(String) -> String) {
        let manifest = fs::read_to_string(layout.manifest()).unwrap();
        fs::write(layout.manifest(), change(manifest)).unwrap();
    }

    /// Sets the time of the last change of a directory and its manifest.
    fn age(layout: &Layout, age: Duration) {
        for path in [layout.directory(), &layout.manifest()] {
            let file = fs::File::open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
    }

    #[test]
    fn only_damaged_manifests_are_removed_and_only_once_they_are_old() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let [good, torn, empty, young, newer] = [(); 5].map(|()| create(&store));
        drop(store);
        damage(&torn, |text| text[..text.len() / 2].to_owned());
        damage(&empty, |_| String::new());
        damage(&young, |text| text.replace("\"format\"", "\"fromat\""));
        damage(&newer, |text| text.replace("\"format\": 1", "\"format\": 2"));
        [&good, &torn, &empty, &newer].iter().for_each(|layout| age(layout, KEEP * 2));
        assert_eq!(damaged_sessions(data.path()).unwrap().len(), 3);

        let store = Store::open(data.path()).unwrap();
        store.load();
        store.measure_while(|| true);
        assert_eq!((store.unreadable(), store.all().len()), (3, 1));
        let stored = store.stored_bytes();
        assert_eq!(store.remove_damaged(KEEP), 2);
        assert!(!torn.directory().exists() && !empty.directory().exists());
        assert!(store.stored_bytes() < stored, "they no longer count");
        assert_eq!((store.unreadable(), store.remove_damaged(KEEP)), (1, 0));
        assert!([&good, &young, &newer].iter().all(|layout| layout.manifest().exists()));
        // A manifest that was repaired, by whatever means, stays.
        damage(&young, |text| text.replace("\"fromat\"", "\"format\""));
        age(&young, KEEP * 2);
        assert_eq!(store.remove_damaged(KEEP), 0);
    }

    #[test]
    fn a_data_folder_without_sessions_has_no_damaged_ones() {
        let data = tempfile::tempdir().unwrap();
        assert!(damaged_sessions(&data.path().join("nosuch")).unwrap().is_empty());
    }
}
