//! Directories whose session cannot be read: counted, reported, and removed by retention.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::existing::session_ids;
use super::{SESSIONS_FOLDER, Store};
use crate::session::manifest::ManifestError;
use crate::session::{Layout, Manifest, SessionId};

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

impl Store {
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
}

/// Whether the file is no manifest, and will not become one: errors of reading it may pass, and a later version can read its own.
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
    use crate::proto::reason::ErrorReason;
    use crate::session::Settings;
    use crate::session::lifecycle::State;
    use crate::session::manifest::Plan;

    const KEEP: Duration = Duration::from_secs(3600);

    fn create(store: &Store) -> Layout {
        let (session, _) = store.create(Settings::default(), Plan::for_test(&["vocals"])).unwrap();
        session.end_for_test(State::Cancelled);
        session.layout().clone()
    }

    /// Replaces a manifest by `change` of it.
    fn damage(layout: &Layout, change: impl Fn(String) -> String) {
        let manifest = fs::read_to_string(layout.manifest()).unwrap();
        fs::write(layout.manifest(), change(manifest)).unwrap();
    }

    fn id_of(layout: &Layout) -> SessionId {
        layout.directory().file_name().unwrap().to_str().unwrap().parse().unwrap()
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
        let reported = store.find(id_of(&torn)).unwrap_err();
        assert_eq!(reported.reason(), ErrorReason::StoredDataDamaged);
        let stored = store.stored_bytes();
        assert_eq!(store.remove_damaged(KEEP), 2);
        assert!(!torn.directory().exists() && !empty.directory().exists());
        assert_eq!(store.find(id_of(&torn)).unwrap_err().reason(), ErrorReason::SessionNotFound);
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
