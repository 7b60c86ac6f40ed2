//! Checks of an object store and of leases: whether they do what sessions need.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::session::SessionId;
use crate::session::leases::{Acquired, LeaseError, Leases, RenewOutcome, SessionOwner};
use crate::session::replica::{CreateOutcome, Replica, ReplicaError};

/// Concurrent creations of one key, of which one must succeed.
const RACERS: usize = 32;

/// The folder of the objects of checks.
const FOLDER: &str = "check";

/// Checks a store with objects in a folder.
type StoreCheck = fn(&dyn Replica, &str) -> Result<String, StoreFault>;

/// Bytes of the largest objects of a session.
const LARGE_BYTES: usize = 4 << 20;

/// Why a store cannot keep sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It does not answer as it should.
    #[error(transparent)]
    Failed(#[from] ReplicaError),
    /// An object was not found, or had other bytes.
    #[error("{0} is not what was stored before")]
    Inconsistent(&'static str),
    /// Of concurrent creations of one key not exactly one succeeded.
    #[error("{winners} of {RACERS} concurrent creations of one key succeeded, where one must")]
    NotExclusive {
        /// How many succeeded.
        winners: usize,
    },
}

impl StoreFault {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            StoreFault::Failed(_) => {
                "Check that the store is there, that it can be reached, and that the credentials, if it needs any, may read and write."
            }
            StoreFault::Inconsistent(_) | StoreFault::NotExclusive { .. } => {
                "Use a store that is consistent and refuses to create a key that exists, such as an NFS folder or a bucket of S3."
            }
        }
    }
}

/// Checks all that sessions need of a store. Each finding is a sentence, or a fault; faults that would follow from a fault
/// are left out.
pub fn check(store: &dyn Replica) -> Vec<Result<String, StoreFault>> {
    let name = SessionId::random().to_string();
    let checks: [StoreCheck; 3] = [check_objects, check_speed, check_race];
    let mut findings = Vec::new();
    for check in checks {
        let found = check(store, &format!("{FOLDER}/{name}"));
        let is_away = matches!(found, Err(StoreFault::Failed(_)));
        findings.push(found);
        if is_away {
            break;
        }
    }
    findings
}

/// Checks that of [`RACERS`] concurrent creations of one key one succeeds, and that its bytes stay.
///
/// # Errors
/// [`StoreFault`].
pub fn check_exclusive_creation(store: &dyn Replica) -> Result<(), StoreFault> {
    check_race(store, &format!("{FOLDER}/{}", SessionId::random())).map(drop)
}

/// Takes, renews and ends a lease, as one of two servers that want it.
///
/// # Errors
/// [`LeaseError`]; also for answers that cannot be.
pub fn check_leases(leases: &dyn Leases) -> Result<String, LeaseError> {
    let wrong = |what: &str| LeaseError { cause: format!("{what} had a wrong answer") };
    let session = SessionId::random();
    let [owner, other] = ["owner", "other"].map(|name| SessionOwner {
        name: name.to_owned(),
        node: format!("{name} of {session}"),
        address: "check:0".to_owned(),
    });
    let begin = Instant::now();
    let Acquired::Held(lease) = leases.acquire(session, &owner)? else {
        return Err(wrong("taking a lease"));
    };
    let time = begin.elapsed().as_secs_f64() * 1e3;
    if leases.acquire(session, &other)? != Acquired::Elsewhere(owner.clone()) {
        return Err(wrong("taking a lease of another server"));
    }
    let renewed = leases.renew(&[lease], &owner)?;
    let &[RenewOutcome::Renewed(lease)] = renewed.as_slice() else {
        return Err(wrong("renewing a lease"));
    };
    leases.release(lease)?;
    if leases.owner(session)?.is_some() {
        return Err(wrong("ending a lease"));
    }
    Ok(format!("leases are taken, renewed and ended; taking one takes {time:.1} ms"))
}

/// Stores, finds, replaces and removes objects.
fn check_objects(store: &dyn Replica, folder: &str) -> Result<String, StoreFault> {
    let key = format!("{folder}/objects/one");
    let inconsistent = |is_right: bool, what| match is_right {
        true => Ok(()),
        false => Err(StoreFault::Inconsistent(what)),
    };
    inconsistent(store.get(&key)?.is_none(), "a key without object")?;
    store.put(&key, b"first".to_vec())?;
    inconsistent(store.get(&key)?.as_deref() == Some(b"first"), "a new object")?;
    store.put(&key, Vec::new())?;
    inconsistent(store.get(&key)?.as_deref() == Some(b""), "a replaced object")?;
    inconsistent(store.list(folder)? == ["objects/one"], "the list of objects")?;
    inconsistent(store.folders(folder)? == ["objects"], "the list of folders")?;
    store.delete(&key)?;
    inconsistent(store.get(&key)?.is_none(), "a removed object")?;
    inconsistent(store.list(folder)?.is_empty(), "the list after a removal")?;
    Ok("objects are stored, found, listed, replaced and removed".to_owned())
}

/// Measures how long a small object and a large one take.
fn check_speed(store: &dyn Replica, folder: &str) -> Result<String, StoreFault> {
    let key = format!("{folder}/speed");
    let time_of = |bytes: usize| -> Result<Duration, StoreFault> {
        let begin = Instant::now();
        store.put(&key, vec![1; bytes])?;
        Ok(begin.elapsed())
    };
    let [small, large] = [time_of(1)?, time_of(LARGE_BYTES)?].map(|time| time.as_secs_f64() * 1e3);
    store.delete(&key)?;
    let mebibytes = LARGE_BYTES >> 20;
    Ok(format!("an object takes {small:.1} ms, one of {mebibytes} MiB {large:.1} ms"))
}

/// Creates one key concurrently, and once more when it is emptied.
fn check_race(store: &dyn Replica, folder: &str) -> Result<String, StoreFault> {
    let key = format!("{folder}/race");
    let (key, start) = (key.as_str(), &Barrier::new(RACERS));
    let race = |racer: usize| {
        start.wait();
        store.create(key, racer.to_string().into_bytes())
    };
    let results: Vec<Result<CreateOutcome, ReplicaError>> = thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
        let panicked = || Err(ReplicaError { cause: "the call panicked".to_owned() });
        racers.into_iter().map(|racer| racer.join().unwrap_or_else(|_| panicked())).collect()
    });
    let mut winners = Vec::new();
    for (racer, result) in results.into_iter().enumerate() {
        if result? == CreateOutcome::Created {
            winners.push(racer);
        }
    }
    let &[winner] = winners.as_slice() else {
        return Err(StoreFault::NotExclusive { winners: winners.len() });
    };
    if store.get(key)? != Some(winner.to_string().into_bytes()) {
        return Err(StoreFault::Inconsistent("the object that was created first"));
    }
    store.put(key, Vec::new())?;
    if store.create(key, b"late".to_vec())? == CreateOutcome::Created {
        return Err(StoreFault::Inconsistent("an object that was emptied"));
    }
    store.delete(key)?;
    Ok(format!("one of {RACERS} concurrent creations of a key succeeds"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::cluster::{ObjectReplica, StoreLocation};
    use crate::session::leases::memory::MemoryLeases;
    use crate::session::replica::memory::MemoryReplica;

    #[test]
    fn a_folder_passes_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::Folder(folder.path().to_owned());
        let store = ObjectReplica::open(&location).unwrap();
        let findings = check(&store);
        assert!(findings.len() == 3 && findings.iter().all(Result::is_ok), "{findings:?}");
        assert_eq!(store.list(FOLDER), Ok(vec![]));
    }

    #[test]
    fn a_store_that_overwrites_once_is_refused() {
        for overwritten in [1, 2, RACERS] {
            let overwriting = AtomicUsize::new(overwritten);
            let store = MemoryReplica { overwriting, ..MemoryReplica::default() };
            let winners = overwritten.min(RACERS - 1) + 1;
            let fault = check_exclusive_creation(&store).unwrap_err();
            assert_eq!(fault, StoreFault::NotExclusive { winners });
        }
        assert_eq!(check_exclusive_creation(&MemoryReplica::default()), Ok(()));
    }

    #[test]
    fn leases_of_memory_pass() {
        assert!(check_leases(&MemoryLeases::default()).is_ok());
    }
}
