//! Where sessions are kept beside the local disk: a store of objects by key, behind a trait that needs no runtime.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A store of objects that several machines reach. Every call blocks until the store has answered, and may be repeated.
///
/// A key is a path without a leading slash, such as `sessions/ID/manifest/1`.
pub trait Replica: fmt::Debug + Send + Sync {
    /// The name of the store, which it gets by the first of these calls. After one, calls fail where another or none is found
    /// instead, such as the empty folder of a file system that is not mounted.
    ///
    /// # Errors
    /// [`ReplicaError`].
    fn identity(&self) -> Result<String, ReplicaError>;

    /// Stores an object, durably, and replaces one of this key.
    ///
    /// # Errors
    /// [`ReplicaError`]; the object may have been stored.
    fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ReplicaError>;

    /// Stores an object, durably, unless there is one of this key: of concurrent calls, one succeeds.
    ///
    /// # Errors
    /// [`ReplicaError`]; the object may have been stored.
    fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError>;

    /// The object of this key; `None` if there is none.
    ///
    /// # Errors
    /// [`ReplicaError`].
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError>;

    /// The same, but fails after `limit`, unless the store always answers at once.
    ///
    /// # Errors
    /// [`ReplicaError`].
    fn get_within(&self, key: &str, limit: Duration) -> Result<Option<Vec<u8>>, ReplicaError> {
        let _ = limit;
        self.get(key)
    }

    /// These bytes of the object of this key, up to its end; `None` if there is none.
    ///
    /// # Errors
    /// [`ReplicaError`]; also for a range behind its end.
    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, ReplicaError>;

    /// The keys of all objects below a folder, without the folder's name, in no order.
    ///
    /// # Errors
    /// [`ReplicaError`].
    fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError>;

    /// The names of the folders in a folder, in no order.
    ///
    /// # Errors
    /// [`ReplicaError`].
    fn folders(&self, folder: &str) -> Result<Vec<String>, ReplicaError>;

    /// Removes an object, if there is one of this key.
    ///
    /// # Errors
    /// [`ReplicaError`]; the object may have been removed.
    fn delete(&self, key: &str) -> Result<(), ReplicaError>;

    /// Reports calls to `observer` from now on. Only the first one counts.
    fn observe(&self, observer: Arc<dyn ReplicaObserver>) {
        drop(observer);
    }
}

/// A kind of calls of a [`Replica`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplicaCall {
    /// [`Replica::put`].
    Put,
    /// [`Replica::create`].
    Create,
    /// [`Replica::get`] and [`Replica::get_range`].
    Get,
    /// [`Replica::list`] and [`Replica::folders`].
    List,
    /// [`Replica::delete`].
    Delete,
}

impl ReplicaCall {
    /// Its name, as in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            ReplicaCall::Put => "put",
            ReplicaCall::Create => "create",
            ReplicaCall::Get => "get",
            ReplicaCall::List => "list",
            ReplicaCall::Delete => "delete",
        }
    }
}

/// Receives what metrics count of a [`Replica`].
pub trait ReplicaObserver: fmt::Debug + Send + Sync {
    /// A call has ended, after `time`.
    fn ended(&self, call: ReplicaCall, time: Duration, is_ok: bool);

    /// Bytes of objects have been stored and read.
    fn transferred(&self, stored: u64, read: u64);

    /// A request of a call was not answered, or not as it should; most are repeated within the call.
    fn request_failed(&self);
}

/// What became of an exclusive creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The object is stored.
    Created,
    /// There was an object of this key, which stays as it is.
    Exists,
}

/// A call of a [`Replica`] that the store has refused or not answered in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object store: {cause}")]
pub struct ReplicaError {
    /// What the store or the system reports.
    pub cause: String,
}

impl ReplicaError {
    /// The error that an I/O error reports, if it does.
    pub fn in_error(error: &io::Error) -> Option<&ReplicaError> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<ReplicaError> for io::Error {
    fn from(error: ReplicaError) -> io::Error {
        io::Error::other(error)
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! A replica in memory, with faults.

    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// A replica in memory.
    #[derive(Debug, Default)]
    pub(crate) struct MemoryReplica {
        pub(crate) objects: Mutex<BTreeMap<String, Vec<u8>>>,
        /// Whether every call fails.
        pub(crate) is_away: AtomicBool,
        /// Changes until it is away.
        pub(crate) changes_left: Mutex<Option<usize>>,
        /// Whether nothing can be removed.
        pub(crate) removes_nothing: AtomicBool,
        /// Whether every creation fails.
        pub(crate) creates_nothing: AtomicBool,
        /// Creations of a key that exists which overwrite it.
        pub(crate) overwriting: AtomicUsize,
        /// Creations that succeed and are reported to have failed.
        pub(crate) unanswered: AtomicUsize,
        /// Reads that fail.
        pub(crate) unread: AtomicUsize,
    }

    impl MemoryReplica {
        /// The keys of all objects.
        pub(crate) fn keys(&self) -> Vec<String> {
            self.objects.lock().unwrap().keys().cloned().collect()
        }

        fn check(&self) -> Result<(), ReplicaError> {
            let is_away = self.is_away.load(Ordering::Acquire);
            if is_away { Err(ReplicaError { cause: "it is away".into() }) } else { Ok(()) }
        }
    }

    /// Takes away the right to one more change.
    fn change(replica: &MemoryReplica) -> Result<(), ReplicaError> {
        match &mut *replica.changes_left.lock().unwrap() {
            Some(0) => replica.is_away.store(true, Ordering::Release),
            Some(left) => *left -= 1,
            None => {}
        }
        replica.check()
    }

    fn take_one(count: &AtomicUsize) -> bool {
        let less = |count: usize| count.checked_sub(1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    impl Replica for MemoryReplica {
        fn identity(&self) -> Result<String, ReplicaError> {
            self.check().map(|()| "memory".to_owned())
        }

        fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ReplicaError> {
            change(self)?;
            self.objects.lock().unwrap().insert(key.to_owned(), bytes);
            Ok(())
        }

        fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError> {
            change(self)?;
            if self.creates_nothing.load(Ordering::Acquire) {
                return Err(ReplicaError { cause: "it is full".into() });
            }
            let mut objects = self.objects.lock().unwrap();
            if objects.contains_key(key) && !take_one(&self.overwriting) {
                return Ok(CreateOutcome::Exists);
            }
            objects.insert(key.to_owned(), bytes);
            if take_one(&self.unanswered) {
                return Err(ReplicaError { cause: "there was no answer".into() });
            }
            Ok(CreateOutcome::Created)
        }

        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError> {
            self.check()?;
            if take_one(&self.unread) {
                return Err(ReplicaError { cause: "there was no answer".into() });
            }
            Ok(self.objects.lock().unwrap().get(key).cloned())
        }

        fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, ReplicaError> {
            let behind = || ReplicaError { cause: "the range is behind the end".into() };
            let part = |bytes: Vec<u8>| {
                let end = bytes.len().min(range.end as usize);
                Ok(bytes.get(range.start as usize..end).ok_or_else(behind)?.to_vec())
            };
            self.get(key)?.map(part).transpose()
        }

        fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
            self.check()?;
            let below = |key: String| Some(key.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
            Ok(self.keys().into_iter().filter_map(below).collect())
        }

        fn folders(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
            let below = self.list(folder)?;
            let name = |key: &String| Some(key.split_once('/')?.0.to_owned());
            let mut names: Vec<String> = below.iter().filter_map(name).collect();
            names.dedup();
            Ok(names)
        }

        fn delete(&self, key: &str) -> Result<(), ReplicaError> {
            change(self)?;
            if self.removes_nothing.load(Ordering::Acquire) {
                return Err(ReplicaError { cause: "it removes nothing".into() });
            }
            self.objects.lock().unwrap().remove(key);
            Ok(())
        }
    }
}
