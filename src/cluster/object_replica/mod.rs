//! An object store, by the crate `object_store`.

mod calls;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

use self::calls::{CALL_TIME, IDENTITY, StoreCalls, failed};
use super::StoreLocation;
use crate::session::SessionId;
use crate::session::replica::{CreateOutcome, Replica, ReplicaCall, ReplicaError, ReplicaObserver};

/// The objects of a store, by key.
#[derive(Debug)]
pub struct ObjectReplica {
    calls: StoreCalls,
}

impl ObjectReplica {
    /// Opens a store. A folder is created if it does not exist; a bucket is not asked for.
    ///
    /// # Errors
    /// I/O errors of the folder; an invalid environment of the bucket; errors of the system when threads are started.
    pub fn open(location: &StoreLocation) -> io::Result<ObjectReplica> {
        Ok(ObjectReplica { calls: StoreCalls::new(location)? })
    }
}

impl Replica for ObjectReplica {
    fn identity(&self) -> Result<String, ReplicaError> {
        if let Some(identity) = self.calls.identity.get() {
            return Ok(identity.clone());
        }
        let found = match self.get(IDENTITY)? {
            Some(found) => Some(found),
            None => {
                self.create(IDENTITY, SessionId::random().to_string().into_bytes())?;
                // Another server may have been faster.
                self.get(IDENTITY)?
            }
        };
        let found = found.unwrap_or_default();
        let identity = String::from_utf8_lossy(&found).into_owned();
        Ok(self.calls.identity.get_or_init(|| identity).clone())
    }

    fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ReplicaError> {
        let (key, length) = (path(key)?, bytes.len());
        self.calls
            .wait(ReplicaCall::Put, self.calls.store.put(&key, bytes.into()))?
            .map_err(failed)?;
        self.calls.transferred(length, 0);
        Ok(())
    }

    fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError> {
        let (key, length) = (path(key)?, bytes.len());
        let create = self.calls.store.put_opts(&key, bytes.into(), PutMode::Create.into());
        match self.calls.wait(ReplicaCall::Create, create)? {
            Ok(_) => {
                self.calls.transferred(length, 0);
                Ok(CreateOutcome::Created)
            }
            Err(Error::AlreadyExists { .. }) => Ok(CreateOutcome::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.get_within(key, CALL_TIME)
    }

    fn get_within(&self, key: &str, limit: Duration) -> Result<Option<Vec<u8>>, ReplicaError> {
        let key = path(key)?;
        self.calls.read(limit, || async { self.calls.store.get(&key).await?.bytes().await })
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, ReplicaError> {
        let key = path(key)?;
        self.calls.read(CALL_TIME, || self.calls.store.get_range(&key, range.clone()))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        let folder = path(folder)?;
        let list = self.calls.store.list(Some(&folder)).try_collect::<Vec<_>>();
        let listed = self.calls.wait(ReplicaCall::List, list)?;
        let below = |key: &Path| {
            let parts: Option<Vec<_>> = key.prefix_match(&folder).map(Iterator::collect);
            parts.map(|parts| {
                let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
                parts.join("/")
            })
        };
        let objects = listed.map_err(failed)?;
        Ok(objects.iter().filter_map(|object| below(&object.location)).collect())
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        let folder = path(folder)?;
        let list = self.calls.store.list_with_delimiter(Some(&folder));
        let listed = self.calls.wait(ReplicaCall::List, list)?.map_err(failed)?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    fn delete(&self, key: &str) -> Result<(), ReplicaError> {
        let key = path(key)?;
        match self.calls.wait(ReplicaCall::Delete, self.calls.store.delete(&key))? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn observe(&self, observer: Arc<dyn ReplicaObserver>) {
        // The first one stays.
        let _ = self.calls.observer.set(observer);
    }
}

fn path(key: &str) -> Result<Path, ReplicaError> {
    Path::parse(key).map_err(|error| ReplicaError { cause: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn open(folder: &std::path::Path) -> ObjectReplica {
        ObjectReplica::open(&StoreLocation::Folder(folder.join("store"))).unwrap()
    }

    #[test]
    fn objects_are_kept_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert_eq!(store.get("a/b"), Ok(None));
        assert_eq!(store.list("a"), Ok(vec![]));
        store.put("a/b", b"one".into()).unwrap();
        store.put("a/c/d", b"two".into()).unwrap();
        store.put("ab", b"three".into()).unwrap();
        // Another process sees the same.
        let store = open(folder.path());
        assert_eq!(store.get("a/c/d"), Ok(Some(b"two".into())));
        let mut listed = store.list("a").unwrap();
        listed.sort();
        assert_eq!(listed, ["b", "c/d"]);
        assert_eq!(store.folders("a"), Ok(vec!["c".to_owned()]));
        store.put("a/b", b"".into()).unwrap();
        assert_eq!(store.get("a/b"), Ok(Some(vec![])));
        for _ in 0..2 {
            store.delete("a/c/d").unwrap();
        }
        assert_eq!(store.list("a"), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn only_a_key_without_object_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert_eq!(store.create("m/1", b"first".into()), Ok(CreateOutcome::Created));
        assert_eq!(store.create("m/1", b"second".into()), Ok(CreateOutcome::Exists));
        assert_eq!(store.get("m/1"), Ok(Some(b"first".into())));
        // Emptied, its name stays.
        store.put("m/1", vec![]).unwrap();
        assert_eq!(store.create("m/1", b"second".into()), Ok(CreateOutcome::Exists));
    }

    #[test]
    fn an_empty_folder_is_not_the_store_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let identity = store.identity().unwrap();
        store.put("a/b", b"one".into()).unwrap();
        assert_eq!(open(folder.path()).identity(), Ok(identity));
        let away = folder.path().join("away");
        fs::rename(folder.path().join("store"), &away).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        assert!(store.put("a/b", b"two".into()).is_err());
        assert!(store.get("a/b").is_err() && store.list("a").is_err());
        fs::remove_dir(folder.path().join("store")).unwrap();
        fs::rename(&away, folder.path().join("store")).unwrap();
        assert_eq!(store.get("a/b"), Ok(Some(b"one".into())));
    }

    /// The folder is taken away while it is listed and read, at another moment each time.
    #[test]
    fn a_store_that_goes_away_amid_a_call_has_all_objects_or_fails() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.identity().unwrap();
        let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
        names.iter().for_each(|name| store.put(&format!("a/{name}"), b"one".into()).unwrap());
        let (here, away) = (folder.path().join("store"), folder.path().join("away"));
        let mut failed = 0;
        for round in 0..200_u32 {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    (0..round * 200).for_each(|_| std::hint::spin_loop());
                    fs::rename(&here, &away).unwrap();
                });
                match store.list("a") {
                    Ok(mut listed) => {
                        listed.sort();
                        assert_eq!(listed, names);
                    }
                    Err(_) => failed += 1,
                }
                if let Ok(found) = store.get("a/07") {
                    assert_eq!(found, Some(b"one".into()));
                }
            });
            fs::rename(&away, &here).unwrap();
        }
        assert!(failed > 0, "it was never away in time");
    }

    #[test]
    fn a_store_that_is_away_is_an_error_and_no_empty_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.put("a/b", b"one".into()).unwrap();
        let away = folder.path().join("away");
        fs::rename(folder.path().join("store"), &away).unwrap();
        fs::write(folder.path().join("store"), "no folder").unwrap();
        let error = store.put("a/b", b"two".into()).unwrap_err();
        assert!(error.to_string().contains("Not a directory"), "{error}");
        assert!(store.get("a/b").is_err() && store.create("m/1", vec![]).is_err());
        fs::remove_file(folder.path().join("store")).unwrap();
        fs::rename(&away, folder.path().join("store")).unwrap();
        assert_eq!(store.get("a/b"), Ok(Some(b"one".into())));
    }
}
