//! An object store, by the crate `object_store`.

use std::fs;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::https::ObserverSlot;
use super::{StoreLocation, s3};
use crate::session::SessionId;
use crate::session::replica::{CreateOutcome, Replica, ReplicaCall, ReplicaError, ReplicaObserver};

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
    /// Whether it may be another folder at any time, as where a file system is not mounted.
    is_folder: bool,
    observer: ObserverSlot,
    /// The name of the store, once it has been asked for.
    identity: OnceLock<String>,
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

impl ObjectReplica {
    /// Opens a store. A folder is created if it does not exist; a bucket is not asked for.
    ///
    /// # Errors
    /// I/O errors of the folder; an invalid environment of the bucket; errors of the system when threads are started.
    pub fn open(location: &StoreLocation) -> io::Result<ObjectReplica> {
        let observer = ObserverSlot::default();
        let store: Box<dyn ObjectStore> = match location {
            StoreLocation::Folder(folder) => Box::new(open_folder(folder)?),
            StoreLocation::Bucket { bucket, prefix } => {
                Box::new(s3::open(bucket, prefix, &observer).map_err(io::Error::other)?)
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("object-store")
            .enable_all()
            .build()?;
        let is_folder = matches!(location, StoreLocation::Folder(_));
        let identity = OnceLock::new();
        Ok(ObjectReplica { store, is_folder, observer, identity, runtime: Some(runtime) })
    }

    /// Waits for a call. Not for threads that run asynchronous tasks.
    fn wait<T>(
        &self,
        kind: ReplicaCall,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        let closed = || ReplicaError { cause: "it is closed".to_owned() };
        let runtime = self.runtime.as_ref().ok_or_else(closed)?;
        let limited = async { timeout(CALL_TIME, self.checked(call)).await };
        let late = || ReplicaError {
            cause: format!("there was no answer within {} s", CALL_TIME.as_secs()),
        };
        let begin = Instant::now();
        let result = runtime.block_on(limited).unwrap_or_else(|_| Err(late()));
        if let Some(observer) = self.observer.get() {
            observer.ended(kind, begin.elapsed(), result.as_ref().is_ok_and(is_answer));
        }
        result
    }

    /// Makes a call, and checks that it is the store that it was.
    async fn checked<T>(
        &self,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        if self.is_folder {
            self.check_identity().await?;
        }
        let result = call.await;
        if !self.is_folder && matches!(result, Err(Error::NotFound { .. })) {
            // A proxy without its server, or a bucket that was removed, has no object either.
            self.check_identity().await?;
        }
        Ok(result)
    }

    /// Reads an object. Where a bucket has none, it is asked again: what was missing for a moment may be back when the name of
    /// the store is checked.
    fn read<F, B: Into<Vec<u8>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<Option<Vec<u8>>, ReplicaError>
    where
        F: Future<Output = object_store::Result<B>>,
    {
        let mut result = self.wait(ReplicaCall::Get, call())?;
        if !self.is_folder && matches!(result, Err(Error::NotFound { .. })) {
            result = self.wait(ReplicaCall::Get, call())?;
        }
        match result {
            Ok(bytes) => {
                let bytes = bytes.into();
                self.transferred(0, bytes.len());
                Ok(Some(bytes))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn transferred(&self, stored: usize, read: usize) {
        if let Some(observer) = self.observer.get() {
            observer.transferred(stored as u64, read as u64);
        }
    }

    /// Checks that it is the store that it was.
    async fn check_identity(&self) -> Result<(), ReplicaError> {
        if self.identity.get().is_some() {
            self.store.head(&Path::from(IDENTITY)).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether the store has answered as it may.
fn is_answer<T>(result: &object_store::Result<T>) -> bool {
    matches!(result, Ok(_) | Err(Error::NotFound { .. } | Error::AlreadyExists { .. }))
}

fn open_folder(folder: &std::path::Path) -> io::Result<LocalFileSystem> {
    fs::create_dir_all(folder)?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(io::Error::other)?;
    // What is acknowledged survives a loss of power.
    Ok(store.with_fsync(true).with_automatic_cleanup(true))
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
        let (key, length) = (path(key)?, bytes.len());
        self.wait(ReplicaCall::Put, self.store.put(&key, bytes.into()))?.map_err(failed)?;
        self.transferred(length, 0);
        Ok(())
    }

    fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError> {
        let (key, length) = (path(key)?, bytes.len());
        let create = self.store.put_opts(&key, bytes.into(), PutMode::Create.into());
        match self.wait(ReplicaCall::Create, create)? {
            Ok(_) => {
                self.transferred(length, 0);
                Ok(CreateOutcome::Created)
            }
            Err(Error::AlreadyExists { .. }) => Ok(CreateOutcome::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError> {
        let key = path(key)?;
        self.read(|| async { self.store.get(&key).await?.bytes().await })
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, ReplicaError> {
        let key = path(key)?;
        self.read(|| self.store.get_range(&key, range.clone()))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        let folder = path(folder)?;
        let list = self.store.list(Some(&folder)).try_collect::<Vec<_>>();
        let listed = self.wait(ReplicaCall::List, list)?;
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
        let list = self.store.list_with_delimiter(Some(&folder));
        let listed = self.wait(ReplicaCall::List, list)?.map_err(failed)?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    fn delete(&self, key: &str) -> Result<(), ReplicaError> {
        let key = path(key)?;
        match self.wait(ReplicaCall::Delete, self.store.delete(&key))? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn observe(&self, observer: Arc<dyn ReplicaObserver>) {
        // The first one stays.
        let _ = self.observer.set(observer);
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
