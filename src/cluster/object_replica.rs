//! An object store, by the crate `object_store`.

use std::fs;
use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::StoreLocation;
use crate::session::SessionId;
use crate::session::replica::{CreateOutcome, Replica, ReplicaError};

/// Time limit of one call. An object has a few MiB at most.
const CALL_TIME: Duration = Duration::from_secs(30);

/// The object with the name of the store.
const IDENTITY: &str = "store";

/// Threads that wait for the store's answers.
const THREADS: usize = 2;

/// An object store, and the threads that call it.
#[derive(Debug)]
pub struct ObjectReplica {
    store: Box<dyn ObjectStore>,
    /// The name of the store, once it has been asked for.
    identity: OnceLock<String>,
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

impl ObjectReplica {
    /// Opens a store. A folder is created if it does not exist.
    ///
    /// # Errors
    /// I/O errors of the folder; errors of the system when threads are started.
    pub fn open(location: &StoreLocation) -> io::Result<ObjectReplica> {
        let StoreLocation::Folder(folder) = location;
        fs::create_dir_all(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(io::Error::other)?;
        // What is acknowledged survives a loss of power.
        let store = store.with_fsync(true).with_automatic_cleanup(true);
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("object-store")
            .enable_all()
            .build()?;
        let (store, identity) = (Box::new(store), OnceLock::new());
        Ok(ObjectReplica { store, identity, runtime: Some(runtime) })
    }

    /// Waits for a call. Not for threads that run asynchronous tasks.
    fn wait<T>(
        &self,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        let closed = || ReplicaError { cause: "it is closed".to_owned() };
        let runtime = self.runtime.as_ref().ok_or_else(closed)?;
        let checked = async {
            if self.identity.get().is_some()
                && let Err(error) = self.store.head(&Path::from(IDENTITY)).await
            {
                return Err(failed(error));
            }
            Ok(call.await)
        };
        let limited = async { timeout(CALL_TIME, checked).await };
        let late = || ReplicaError {
            cause: format!("there was no answer within {} s", CALL_TIME.as_secs()),
        };
        runtime.block_on(limited).unwrap_or_else(|_| Err(late()))
    }
}

impl Replica for ObjectReplica {
    fn identity(&self) -> Result<String, ReplicaError> {
        if let Some(identity) = self.identity.get() {
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
        Ok(self.identity.get_or_init(|| identity).clone())
    }

    fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ReplicaError> {
        let key = path(key)?;
        self.wait(self.store.put(&key, bytes.into()))?.map(drop).map_err(failed)
    }

    fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError> {
        let key = path(key)?;
        let options = PutOptions::from(PutMode::Create);
        match self.wait(self.store.put_opts(&key, bytes.into(), options))? {
            Ok(_) => Ok(CreateOutcome::Created),
            Err(Error::AlreadyExists { .. }) => Ok(CreateOutcome::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError> {
        let key = path(key)?;
        match self.wait(async { self.store.get(&key).await?.bytes().await })? {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        let folder = path(folder)?;
        let listed = self.wait(self.store.list(Some(&folder)).try_collect::<Vec<_>>())?;
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
        let listed = self.wait(self.store.list_with_delimiter(Some(&folder)))?.map_err(failed)?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    fn delete(&self, key: &str) -> Result<(), ReplicaError> {
        let key = path(key)?;
        match self.wait(self.store.delete(&key))? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Drop for ObjectReplica {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so it may be dropped anywhere.
            runtime.shutdown_background();
        }
    }
}

fn path(key: &str) -> Result<Path, ReplicaError> {
    Path::parse(key).map_err(|error| ReplicaError { cause: error.to_string() })
}

fn failed(error: Error) -> ReplicaError {
    // The source has the system's own words.
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        let text = inner.to_string();
        if !cause.contains(&text) {
            cause = format!("{cause}: {text}");
        }
        source = inner.source();
    }
    ReplicaError { cause }
}

#[cfg(test)]
mod tests {
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
