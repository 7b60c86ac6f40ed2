//! Removals that are interrupted: a session is there as a whole, or gone.

use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::*;
use crate::session::replication::Keys;
use crate::session::replication::manifest_record::Record;

pub(super) const BYTES: &[u8] = b"onetwothree";

fn request() -> Settings {
    Settings { request_id: Some(Uuid::new_v4()), ..Settings::default() }
}

/// A session with three pieces and several manifests.
pub(super) fn create_with_pieces(store: &Store) -> Arc<Session> {
    create_requested(store, request())
}

fn create_requested(store: &Store, settings: Settings) -> Arc<Session> {
    let (session, _) = store.create(settings, Plan::for_test(&["vocals"])).unwrap();
    session.wait_until_created().unwrap();
    for (offset, bytes) in [(0, &BYTES[..3]), (3, &BYTES[3..6]), (6, &BYTES[6..])] {
        add(&session, offset, bytes);
        session.update(|manifest| manifest.notices.push("a note".into())).unwrap();
        drain(store);
    }
    session
}

/// What a server finds is all bytes or no session, of which nothing is left.
#[track_caller]
fn check_whole_or_gone(store: &Store, replica: &MemoryReplica, id: SessionId) -> bool {
    match store.find(id) {
        Ok(found) => {
            found.fetch().unwrap();
            assert_eq!(upload_of(&found), BYTES);
            assert_eq!(found.durable_bytes(), BYTES.len() as u64);
            true
        }
        Err(error) => {
            assert!(matches!(error, SessionError::NotFound(_)), "{error}");
            assert_eq!(replica.keys(), Vec::<String>::new());
            false
        }
    }
}

/// Removes a session with a replica that is away after `changes` changes, and loses the server. Returns whether all changes
/// were made.
fn interrupt(changes: usize, has_disk: bool) -> bool {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let store = open(first.path(), &replica);
    let settings = request();
    let session = create_requested(&store, settings.clone());
    let id = session.id();
    *replica.changes_left.lock().unwrap() = Some(changes);
    session.end_for_test(State::Removed);
    session.replica().unwrap().request_removal();
    while store.outage().is_none() && session.layout().directory().exists() {
        std::thread::yield_now();
    }
    let is_whole = store.outage().is_none();
    drop((session, store));
    *replica.changes_left.lock().unwrap() = None;
    replica.is_away.store(false, Ordering::Release);
    let data = if has_disk { first.path() } else { second.path() };
    let store = open(data, &replica);
    // A client that repeats its request gets the session as long as there is one.
    let requested = store.by_request(&settings).unwrap().map(|session| session.id());
    let is_there = check_whole_or_gone(&store, &replica, id);
    assert_eq!(requested, is_there.then_some(id), "after {changes} changes");
    assert!(!(is_there && is_whole));
    is_whole
}

#[test]
fn a_removal_that_ends_amid_leaves_a_whole_session_or_none() {
    for has_disk in [false, true] {
        let done = (0..).find(|&changes| interrupt(changes, has_disk)).unwrap();
        // The record and the manifest before it, the claim, pieces, manifests.
        assert!(done > 2 + 1 + 3 + 4, "{done}");
    }
}

/// The server that removes a session is lost once that is recorded. Another one stores a session of the same request.
#[test]
fn a_claim_of_a_removed_session_gives_way() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let (lost, other) = (open(first.path(), &replica), open(second.path(), &replica));
    let settings = request();
    let removed = create_requested(&lost, settings.clone());
    let keys = Keys(removed.id());
    let (number, _) = Record::last(replica.as_ref(), keys).unwrap().unwrap();
    let record = Record::removed("the lost server", settings.request_id);
    replica.put(&keys.manifest(number + 1), record.to_bytes().unwrap()).unwrap();
    // It has not found the claim before.
    let replication = Arc::clone(&create(&other).replica().unwrap().replication);
    let new = SessionId::random();
    replication.claim_request(settings.request_id.unwrap(), new).unwrap();
    assert_eq!(replication.requested(settings.request_id.unwrap()), Ok(Some(new)));
    let left = replica.keys();
    assert!(!left.iter().any(|key| key.contains(&removed.id().to_string())), "{left:?}");
    assert_eq!(left.iter().filter(|key| key.starts_with("requests/")).count(), 1);
}

#[test]
fn what_is_removed_is_not_found_while_its_objects_cannot_be_removed() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let store = open(first.path(), &replica);
    let session = create(&store);
    add(&session, 0, BYTES);
    let id = session.id();
    replica.removes_nothing.store(true, Ordering::Release);
    session.end_for_test(State::Removed);
    store.remove(&session).unwrap();
    assert!(matches!(store.find(id).unwrap_err(), SessionError::NotFound(_)));
    drop((session, store));
    let store = open(second.path(), &replica);
    assert!(matches!(store.find(id).unwrap_err(), SessionError::NotFound(_)));
    assert!(!store.is_loaded() && replica.keys().len() > 2);
    replica.removes_nothing.store(false, Ordering::Release);
    store.load();
    assert!(store.is_loaded() && !check_whole_or_gone(&store, &replica, id));
}

/// One of two servers removes each session while the other one takes it over.
#[test]
fn a_session_that_is_taken_over_while_it_is_removed_is_whole_or_gone() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let replica = Arc::new(MemoryReplica::default());
    let stopped = open(first.path(), &replica);
    let sessions: Vec<_> = (0..40).map(|_| create_with_pieces(&stopped)).collect();
    let other = open(second.path(), &replica);
    for session in sessions {
        let (id, replica) = (session.id(), session.replica().unwrap());
        let removed = std::thread::scope(|scope| {
            scope.spawn(|| other.find(id).map(drop));
            replica.request_removal();
            replica.wait_for_removal(Duration::from_secs(60))
        });
        // An attempt may meet the change of hands.
        let found = other.find(id);
        assert_eq!(removed.is_ok(), matches!(found, Err(SessionError::NotFound(_))), "{removed:?}");
        if let Ok(found) = found {
            assert_eq!(add(&found, 11, b"."), 12);
            assert_eq!(upload_of(&found), b"onetwothree.");
        }
    }
}

#[test]
fn what_a_lost_server_leaves_behind_a_removal_is_removed() {
    let data = tempfile::tempdir().unwrap();
    let replica = Arc::new(MemoryReplica::default());
    let store = open(data.path(), &replica);
    let session = create_with_pieces(&store);
    let keys = Keys(session.id());
    let (number, record) = Record::last(replica.as_ref(), keys).unwrap().unwrap();
    session.end_for_test(State::Removed);
    store.remove(&session).unwrap();
    drop(store);
    for left in [record.to_bytes().unwrap(), Vec::new()] {
        replica.put(&keys.manifest(number), left).unwrap();
        let store = open(data.path(), &replica);
        assert!(!check_whole_or_gone(&store, &replica, session.id()));
    }
}
