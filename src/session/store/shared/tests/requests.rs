//! Requests that are repeated at servers of one cluster.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use uuid::Uuid;

use super::SharedStores;
use crate::session::leases::{Leases, SessionOwner};
use crate::session::lifecycle::State;
use crate::session::manifest::Plan;
use crate::session::{Session, SessionError, SessionId, Settings, Store};

fn request() -> Settings {
    Settings { request_id: Some(Uuid::from_u128(7)), ..Settings::default() }
}

fn create(store: &Store) -> Arc<Session> {
    store.create(request(), Plan::for_test(&["vocals"])).unwrap().0
}

/// Two servers, in folders of `data`.
fn open_two(shared: &SharedStores, data: &Path) -> [Store; 2] {
    ["a", "b"].map(|name| shared.open(&data.join(name)))
}

/// The claims of the request: the session of each.
fn claims(shared: &SharedStores) -> Vec<String> {
    let objects = shared.replica.objects.lock().unwrap();
    let claims = objects.iter().filter(|(key, _)| key.starts_with("requests/"));
    claims.map(|(_, id)| String::from_utf8(id.clone()).unwrap()).collect()
}

#[track_caller]
fn check_elsewhere(store: &Store, id: SessionId, address: &str) {
    match store.by_request(&request()).unwrap_err() {
        SessionError::Elsewhere { session, owner } => {
            assert_eq!((session, owner.address.as_str()), (id, address));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_request_has_one_session_at_all_servers_until_it_is_removed() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = open_two(&shared, data.path());
    assert!(b.by_request(&request()).unwrap().is_none());
    let session = create(&a);
    session.wait_until_created().unwrap();
    check_elsewhere(&b, session.id(), "a");
    session.end_for_test(State::Cancelled);
    session.wait_until_ended().unwrap();
    a.leases().unwrap().release(session.id());
    assert_eq!(b.by_request(&request()).unwrap().unwrap().id(), session.id());
    let other = Settings { gain: 0.5, ..request() };
    for store in [&a, &b] {
        let refused = store.by_request(&other).unwrap_err();
        assert!(
            matches!(refused, SessionError::RequestConflict { session: id, .. } if id == session.id())
        );
    }
    session.end_for_test(State::Removed);
    a.remove(&session).unwrap();
    b.look_through(|| true);
    assert_eq!(claims(&shared), Vec::<String>::new());
    let next = create(&b);
    next.wait_until_created().unwrap();
    assert_ne!(next.id(), session.id());
    check_elsewhere(&a, next.id(), "b");
}

#[test]
fn of_concurrent_creations_one_gets_the_request() {
    for _ in 0..20 {
        let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
        let stores = open_two(&shared, data.path());
        let begin = Barrier::new(2);
        let made = std::thread::scope(|scope| {
            let threads = stores.each_ref().map(|store| {
                scope.spawn(|| {
                    begin.wait();
                    let created = store.create(request(), Plan::for_test(&["vocals"]));
                    let (session, _) = match created {
                        Ok(created) => created,
                        Err(SessionError::Elsewhere { .. }) => return None,
                        Err(other) => panic!("{other}"),
                    };
                    let is_durable = session.wait_until_created().is_ok();
                    assert_eq!(is_durable, !session.is_superseded());
                    is_durable.then_some(session)
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let winner = made.iter().position(Option::is_some).unwrap();
        let id = made[winner].as_ref().unwrap().id();
        assert!(made[1 - winner].is_none());
        check_elsewhere(&stores[1 - winner], id, ["a", "b"][winner]);
        assert_eq!(claims(&shared), [id.to_string()]);
    }
}

/// A session claims the request.
fn claim(shared: &SharedStores, id: SessionId) {
    let key = format!("requests/{}/1", Uuid::from_u128(7));
    shared.replica.objects.lock().unwrap().insert(key, id.to_string().into_bytes());
}

/// A server creates a session, and is lost before anything of it is stored, but its claim if it `has_claim`.
fn lose_before_the_manifest(shared: &SharedStores, data: &Path, has_claim: bool) -> SessionId {
    // It never reaches the store, however long its threads run.
    let severed = SharedStores { leases: Arc::clone(&shared.leases), ..SharedStores::default() };
    severed.replica.creates_nothing.store(true, Ordering::Release);
    let store = severed.open(data);
    let id = create(&store).id();
    drop(store);
    shared.leases.expire(id);
    if has_claim {
        claim(shared, id);
    }
    id
}

#[test]
fn a_session_that_was_not_stored_continues_where_it_is() {
    for has_claim in [false, true] {
        let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
        let lost = lose_before_the_manifest(&shared, &data.path().join("a"), has_claim);
        let [a, b] = open_two(&shared, data.path());
        a.find(lost).unwrap().wait_until_created().unwrap();
        assert_eq!(a.by_request(&request()).unwrap().unwrap().id(), lost);
        check_elsewhere(&b, lost, "a");
    }
}

#[test]
fn a_request_is_not_blocked_by_a_session_that_was_not_stored() {
    for has_claim in [false, true] {
        let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
        let lost = lose_before_the_manifest(&shared, &data.path().join("a"), has_claim);
        let b = shared.open(&data.path().join("b"));
        assert!(b.by_request(&request()).unwrap().is_none());
        let session = create(&b);
        session.wait_until_created().unwrap();
        // The lost one comes back.
        let a = shared.open(&data.path().join("a"));
        match a.find(lost) {
            Ok(lost) => {
                assert!(lost.wait_until_created().is_err() && lost.is_superseded());
            }
            // It has found that out already.
            Err(error) => assert!(matches!(error, SessionError::NotFound(_))),
        }
        check_elsewhere(&a, session.id(), "b");
        session.end_for_test(State::Removed);
        b.remove(&session).unwrap();
        assert_eq!(claims(&shared), Vec::<String>::new());
    }
}

#[test]
fn a_claim_whose_answer_was_lost_is_the_sessions_own() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, _b] = open_two(&shared, data.path());
    shared.replica.unanswered.store(1, Ordering::Release);
    let session = create(&a);
    // Refused while the store is taken for away.
    while session.wait_until_created().is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(claims(&shared), [session.id().to_string()]);
}

#[test]
fn a_session_is_not_ruled_out_while_it_may_have_an_owner() {
    for is_away in [false, true] {
        let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
        let b = shared.open(&data.path().join("b"));
        shared.replica.creates_nothing.store(true, Ordering::Release);
        let session = create(&b);
        // Another server has claimed the request, and is about to store its session.
        let other = SessionId::random();
        claim(&shared, other);
        let owner = ["a"; 3].map(str::to_owned);
        let [name, node, address] = owner;
        shared.leases.acquire(other, &SessionOwner { name, node, address }).unwrap();
        shared.leases.is_away.store(is_away, Ordering::Release);
        shared.replica.creates_nothing.store(false, Ordering::Release);
        while !session.is_superseded() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(session.wait_until_created().is_err());
        b.forget_fenced();
        assert!(!session.layout().directory().exists());
        assert_eq!(claims(&shared), [other.to_string()]);
        assert!(!shared.replica.keys().iter().any(|key| key.contains("manifest")));
    }
}
