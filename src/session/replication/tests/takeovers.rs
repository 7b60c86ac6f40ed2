//! Takeovers during which another server removes or continues the session: what it has taken away is no damage.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use super::removals::{BYTES, create_with_pieces};
use super::*;
use crate::proto::reason::ErrorReason;
use crate::session::checksums::extend;
use crate::session::manifest::Manifest;
use crate::session::replica::{CreateOutcome, ReplicaError};

/// What another server does to a session.
type Interruption = fn(&Store, &Session);

/// Another server takes a session over between the list of its pieces and the first of them.
#[derive(Debug)]
struct InterruptedReplica {
    replica: Arc<MemoryReplica>,
    /// The folder of the other server, and the session.
    other: Mutex<Option<(PathBuf, SessionId)>>,
    interruption: Interruption,
}

impl Replica for InterruptedReplica {
    fn identity(&self) -> Result<String, ReplicaError> {
        self.replica.identity()
    }

    fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ReplicaError> {
        self.replica.put(key, bytes)
    }

    fn create(&self, key: &str, bytes: Vec<u8>) -> Result<CreateOutcome, ReplicaError> {
        self.replica.create(key, bytes)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.replica.get(key)
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.replica.get_range(key, range)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        let names = self.replica.list(folder)?;
        if folder.ends_with("/upload")
            && let Some((data, id)) = self.other.lock().unwrap().take()
        {
            let other = open(&data, &self.replica);
            (self.interruption)(&other, &other.find(id).unwrap());
            drain(&other);
        }
        Ok(names)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, ReplicaError> {
        self.replica.folders(folder)
    }

    fn delete(&self, key: &str) -> Result<(), ReplicaError> {
        self.replica.delete(key)
    }
}

/// A session computes this many segments, behind which this is its overlap state.
fn commit(session: &Session, segments: u64, overlap_state: &[u8]) {
    fs::write(session.layout().overlap_state(segments), overlap_state).unwrap();
    let note = |manifest: &mut Manifest| {
        let commit = &mut manifest.commit;
        (commit.segments, commit.overlap_state) = (segments, true);
        commit.overlap_crc32c = Some(extend(0, overlap_state));
    };
    session.update(note).unwrap();
}

/// Takes a session over while another server does the same, and more. The answer is to try again. Returns a store in which the
/// session is looked for again.
#[track_caller]
fn check_interrupted(
    replica: &Arc<MemoryReplica>,
    interruption: Interruption,
) -> (TempDir, Store, SessionId) {
    let [first, second, third] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let lost = open(second.path(), replica);
    let session = create_with_pieces(&lost);
    commit(&session, 1, b"the first overlap state");
    drain(&lost);
    let id = session.id();
    drop((session, lost));
    let other = Mutex::new(Some((third.path().to_owned(), id)));
    let interrupted = InterruptedReplica { replica: Arc::clone(replica), other, interruption };
    let interrupted = Arc::new(interrupted);
    let shared = Arc::clone(&interrupted) as Arc<dyn Replica>;
    let store = Store::open_replicated(first.path(), shared).unwrap();
    let error = store.find(id).unwrap_err();
    assert!(interrupted.other.lock().unwrap().is_none());
    assert_eq!(error.reason(), ErrorReason::ClusterUnavailable, "{error}");
    (first, store, id)
}

#[test]
fn a_session_that_another_server_removes_meanwhile_is_not_damaged() {
    let replica = Arc::new(MemoryReplica::default());
    let (_data, store, id) = check_interrupted(&replica, |other, session| {
        session.end_for_test(State::Removed);
        other.remove(session).unwrap();
    });
    assert!(matches!(store.find(id).unwrap_err(), SessionError::NotFound(_)));
    assert_eq!(replica.keys(), Vec::<String>::new());
}

#[test]
fn a_session_that_another_server_continues_meanwhile_is_not_damaged() {
    let replica = Arc::new(MemoryReplica::default());
    let (_data, store, id) = check_interrupted(&replica, |_, session| {
        commit(session, 2, b"the second overlap state");
    });
    let overlap_states = || replica.keys().into_iter().filter(|key| key.contains("/carry/"));
    assert!(overlap_states().all(|key| key.contains("/carry/2.")), "the first one is gone");
    assert_eq!(overlap_states().count(), 1);
    let found = store.find(id).unwrap();
    assert_eq!((found.manifest().commit.segments, upload_of(&found)), (2, BYTES.to_vec()));
    let restored = fs::read(found.layout().overlap_state(2)).unwrap();
    assert_eq!(restored, b"the second overlap state");
}
