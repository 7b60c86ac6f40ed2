//! Calls of an object store: limited in time, observed, and only as long as it is the store that it was.

use std::fs;
use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::cluster::StoreLocation;
use crate::cluster::https::ObserverSlot;
use crate::session::replica::{ReplicaCall, ReplicaError};

/// Time limit of one call. An object has a few MiB at most.
pub(super) const CALL_TIME: Duration = Duration::from_secs(30);

/// The object with the name of the store.
pub(super) const IDENTITY: &str = "store";

/// Threads that wait for the store's answers.
const THREADS: usize = 2;

/// An object store, and the threads that call it.
#[derive(Debug)]
pub(super) struct StoreCalls {
    pub(super) store: Box<dyn ObjectStore>,
    /// Whether it may be another folder at any time, as where a file system is not mounted.
    is_folder: bool,
    pub(super) observer: ObserverSlot,
    /// The name of the store, once it has been asked for.
    pub(super) identity: OnceLock<String>,
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
}

impl StoreCalls {
    /// Opens a store. A folder is created if it does not exist; a bucket is not asked for.
    ///
    /// # Errors
    /// I/O errors of the folder; an invalid environment of the bucket; errors of the system when threads are started.
    pub(super) fn new(location: &StoreLocation) -> io::Result<StoreCalls> {
        let observer = ObserverSlot::default();
        let store: Box<dyn ObjectStore> = match location {
            StoreLocation::Folder(folder) => Box::new(open_folder(folder)?),
            StoreLocation::Bucket { service, bucket, prefix } => {
                Box::new(service.open(bucket, prefix, &observer).map_err(io::Error::other)?)
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("object-store")
            .enable_all()
            .build()?;
        let is_folder = matches!(location, StoreLocation::Folder(_));
        let identity = OnceLock::new();
        Ok(StoreCalls { store, is_folder, observer, identity, runtime: Some(runtime) })
    }

    /// Waits for a call. Not for threads that run asynchronous tasks.
    pub(super) fn wait<T>(
        &self,
        kind: ReplicaCall,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        self.wait_within(CALL_TIME, kind, call)
    }

    fn wait_within<T>(
        &self,
        limit: Duration,
        kind: ReplicaCall,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        let closed = || ReplicaError { cause: "it is closed".to_owned() };
        let runtime = self.runtime.as_ref().ok_or_else(closed)?;
        let limited = async { timeout(limit, self.checked(kind, call)).await };
        let late =
            || ReplicaError { cause: format!("there was no answer within {} s", limit.as_secs()) };
        let begin = Instant::now();
        let result = runtime.block_on(limited).unwrap_or_else(|_| Err(late()));
        if let Some(observer) = self.observer.get() {
            observer.ended(kind, begin.elapsed(), result.as_ref().is_ok_and(is_answer));
        }
        result
    }

    /// Makes a call, and checks that it is the store that it was, also behind an answer that something is missing: a folder
    /// that is taken away meanwhile has no objects, and a listing of it leaves out what it does not find any more. So does a
    /// proxy without its server, or a bucket that was removed.
    async fn checked<T>(
        &self,
        kind: ReplicaCall,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<object_store::Result<T>, ReplicaError> {
        if self.is_folder {
            self.check_identity().await?;
        }
        let result = call.await;
        let may_lack = match &result {
            Ok(_) => self.is_folder && kind == ReplicaCall::List,
            Err(error) => matches!(error, Error::NotFound { .. }),
        };
        if may_lack {
            self.check_identity().await?;
        }
        Ok(result)
    }

    /// Reads an object, by requests of at most `limit`. Where there is none, the store is asked again: what was missing for a moment may be back when the name
    /// of the store is checked.
    pub(super) fn read<F, B: Into<Vec<u8>>>(
        &self,
        limit: Duration,
        call: impl Fn() -> F,
    ) -> Result<Option<Vec<u8>>, ReplicaError>
    where
        F: Future<Output = object_store::Result<B>>,
    {
        let mut result = self.wait_within(limit, ReplicaCall::Get, call())?;
        if matches!(result, Err(Error::NotFound { .. })) {
            result = self.wait_within(limit, ReplicaCall::Get, call())?;
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

    pub(super) fn transferred(&self, stored: usize, read: usize) {
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

impl Drop for StoreCalls {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so it may be dropped anywhere.
            runtime.shutdown_background();
        }
    }
}

pub(super) fn failed(error: Error) -> ReplicaError {
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
