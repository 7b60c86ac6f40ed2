//! Sessions of two servers with one replica.

mod removals;
mod takeovers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::session::lifecycle::State;
use crate::session::manifest::Plan;
use crate::session::replica::Replica;
use crate::session::replica::memory::MemoryReplica;
use crate::session::{Session, SessionError, SessionId, Settings, Store};

fn open(data: &Path, replica: &Arc<MemoryReplica>) -> Store {
    Store::open_replicated(data, Arc::clone(replica) as Arc<dyn Replica>).unwrap()
}

fn create(store: &Store) -> Arc<Session> {
    let (session, _) = store.create(Settings::default(), Plan::for_test(&["vocals"])).unwrap();
    session.wait_until_created().unwrap();
    session
}

fn add(session: &Session, offset: u64, bytes: &[u8]) -> u64 {
    session.add_bytes(offset, bytes, u64::MAX).unwrap();
    session.wait_for_upload().unwrap()
}

fn upload_of(session: &Session) -> Vec<u8> {
    std::fs::read(session.layout().upload()).unwrap()
}

fn drain(store: &Store) {
    assert!(store.drain(Instant::now() + Duration::from_secs(60)));
}

#[test]
fn what_is_acknowledged_is_restored_into_an_empty_folder() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let store = open(first.path(), &replica);
    let session = create(&store);
    assert_eq!(add(&session, 0, b"one"), 3);
    session.update(|manifest| manifest.notices.push("a note".into())).unwrap();
    // Without a manifest of its own.
    assert_eq!(add(&session, 3, b"two"), 6);
    drain(&store);
    drop(store);
    let store = open(second.path(), &replica);
    let found = store.find(session.id()).unwrap();
    assert_eq!((found.uploaded(), upload_of(&found)), (6, b"onetwo".to_vec()));
    assert_eq!(found.manifest().notices, ["a note"]);
    assert_eq!(add(&found, 6, b"three"), 11);
    // Only one of its manifests has content.
    let manifests = replica.keys().into_iter().filter(|key| key.contains("/manifest/"));
    let lengths = manifests.map(|key| replica.get(&key).unwrap().unwrap().len());
    assert_eq!(lengths.filter(|&length| length > 0).count(), 1);
}

#[test]
fn a_server_whose_session_was_taken_over_acknowledges_nothing_more() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let (stopped, other) = (open(first.path(), &replica), open(second.path(), &replica));
    let session = create(&stopped);
    add(&session, 0, b"one");
    drop(other);
    let other = open(second.path(), &replica);
    let taken = other.find(session.id()).unwrap();
    assert_eq!(add(&taken, 3, b"two"), 6);
    // The first one stores a piece, and finds out.
    session.add_bytes(3, b"late", u64::MAX).unwrap();
    let error = session.wait_for_upload().unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
    assert!(session.is_fenced() && session.durable_bytes() == 3);
    assert_eq!(add(&taken, 6, b"three"), 11);
    assert_eq!(upload_of(&taken), b"onetwothree");
    drain(&other);
    // Once it is forgotten, it is restored as the other one has left it.
    drop(other);
    stopped.forget_fenced();
    let again = stopped.find(session.id()).unwrap();
    assert_eq!(upload_of(&again), b"onetwothree");
    assert_eq!(add(&again, 11, b"."), 12);
}

#[test]
fn a_server_whose_session_another_one_has_removed_does_not_create_it_again() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let stopped = open(first.path(), &replica);
    let [grown, changed] = [(); 2].map(|()| create(&stopped));
    let other = open(second.path(), &replica);
    for session in [&grown, &changed] {
        add(session, 0, b"one");
        drain(&stopped);
        let taken = other.find(session.id()).unwrap();
        taken.end_for_test(State::Removed);
        other.remove(&taken).unwrap();
    }
    assert_eq!(replica.keys(), Vec::<String>::new());
    // The first one stores a piece, and a manifest.
    grown.add_bytes(3, b"late", u64::MAX).unwrap();
    assert!(grown.wait_for_upload().is_err());
    changed.update(|manifest| manifest.notices.push("a note".into())).unwrap();
    drain(&stopped);
    for session in [&grown, &changed] {
        assert!(session.is_fenced());
    }
    let keys = replica.keys();
    assert!(!keys.iter().any(|key| key.contains("/manifest/")), "{keys:?}");
    drop((grown, changed));
    stopped.forget_fenced();
    assert_eq!(stopped.all().len(), 0);
}

#[test]
fn an_outage_delays_and_a_lost_answer_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let unanswered = AtomicUsize::new(1);
    let replica = Arc::new(MemoryReplica { unanswered, ..MemoryReplica::default() });
    let store = open(data.path(), &replica);
    let session = create(&store);
    drain(&store);
    replica.is_away.store(true, Ordering::Release);
    session.update(|manifest| manifest.notices.push("a note".into())).unwrap();
    assert!(!store.drain(Instant::now() + Duration::from_millis(300)));
    assert!(store.outage().is_some());
    let shown = session.durable_manifest();
    assert!(matches!(&shown.notices[..], [only] if only.contains("store")), "{:?}", shown.notices);
    replica.is_away.store(false, Ordering::Release);
    drain(&store);
    assert_eq!((session.durable_manifest().notices.len(), store.outage()), (1, None));
    assert!(!session.is_fenced());
}

#[test]
fn a_session_that_changes_after_a_lost_answer_stays_with_its_server() {
    let data = tempfile::tempdir().unwrap();
    let replica = Arc::new(MemoryReplica::default());
    let store = open(data.path(), &replica);
    let session = create(&store);
    drain(&store);
    for lost in ["by the creation", "behind it"] {
        match lost {
            "by the creation" => replica.unanswered.store(1, Ordering::Release),
            _ => replica.unread.store(1, Ordering::Release),
        }
        session.update(|manifest| manifest.notices.push("before".into())).unwrap();
        // Its record is in the replica now, and the server does not know.
        while store.outage().is_none() {
            std::thread::yield_now();
        }
        session.update(|manifest| manifest.notices.push("after".into())).unwrap();
        drain(&store);
        assert!(!session.is_fenced(), "{lost}");
        assert_eq!(
            (session.durable_manifest().notices.last().unwrap(), store.outage()),
            (&"after".to_owned(), None)
        );
    }
    let manifests = replica.keys().into_iter().filter(|key| key.contains("/manifest/"));
    let lengths: Vec<_> = manifests.map(|key| replica.get(&key).unwrap().unwrap().len()).collect();
    assert_eq!(lengths.iter().filter(|&&length| length > 0).count(), 1);
}

#[test]
fn an_outage_that_ends_with_another_server_is_over() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let (stopped, other) = (open(first.path(), &replica), open(second.path(), &replica));
    let session = create(&stopped);
    drain(&stopped);
    drop(other);
    let other = open(second.path(), &replica);
    add(&other.find(session.id()).unwrap(), 0, b"one");
    drain(&other);
    replica.is_away.store(true, Ordering::Release);
    session.update(|manifest| manifest.notices.push("late".into())).unwrap();
    while stopped.outage().is_none() {
        std::thread::yield_now();
    }
    replica.is_away.store(false, Ordering::Release);
    drain(&stopped);
    assert_eq!((session.is_fenced(), stopped.outage()), (true, None));
}

#[test]
fn a_removed_session_is_in_neither_place() {
    let data = tempfile::tempdir().unwrap();
    let replica = Arc::new(MemoryReplica::default());
    let store = open(data.path(), &replica);
    let sessions = [create(&store), create(&store)];
    for session in &sessions {
        add(session, 0, b"one");
        session.end_for_test(State::Removed);
    }
    store.remove(&sessions[0]).unwrap();
    let key_of = |session: &Session| format!("sessions/{}/", session.id());
    let has =
        |session: &Session| replica.keys().iter().any(|key| key.starts_with(&key_of(session)));
    assert!(!has(&sessions[0]) && has(&sessions[1]));
    assert!(!sessions[0].layout().directory().exists());
    drain(&store);
    drop(store);
    // Removed elsewhere, it is not restored from a folder of before.
    replica
        .keys()
        .iter()
        .filter(|key| key.starts_with(&key_of(&sessions[1])))
        .for_each(|key| replica.delete(key).unwrap());
    let store = open(data.path(), &replica);
    let error = store.find(sessions[1].id()).unwrap_err();
    assert!(matches!(error, SessionError::NotFound(_)), "{error}");
    assert!(!sessions[1].layout().directory().exists());
}
