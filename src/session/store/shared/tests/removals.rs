//! Removals of sessions that other servers have in memory, or that the replica does not have as removed yet.

use uuid::Uuid;

use super::*;

/// A server removes a session that has ended and that both have in memory. Returns the session's id.
fn remove_at_the_first(shared: &SharedStores, [first, second]: [&Store; 2]) -> SessionId {
    let settings = Settings { request_id: Some(Uuid::from_u128(7)), ..Settings::default() };
    let (session, _) = first.create(settings, Plan::for_test(&["vocals"])).unwrap();
    session.wait_until_created().unwrap();
    shared.end(&session);
    let id = session.id();
    let found = second.find(id).unwrap();
    assert!(second.find_certain(id).is_some());
    // The replica is asked once for all calls of a moment.
    shared.replica.unread.store(1, Ordering::Release);
    assert!((0..10).all(|_| second.find(id).is_ok_and(|again| Arc::ptr_eq(&again, &found))));
    assert_eq!(shared.replica.unread.swap(0, Ordering::AcqRel), 1);
    session.end_for_test(State::Removed);
    let replica = session.replica().unwrap();
    replica.request_removal();
    // It is recorded, or done.
    while !matches!(replica.removal_error(), Some(SessionError::NotFound(_))) {
        std::thread::sleep(Duration::from_millis(1));
    }
    pass_a_moment(second, id);
    id
}

#[test]
fn what_another_server_has_removed_is_not_answered_from_memory() {
    for removes_nothing in [false, true] {
        let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
        let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
        // The session is recorded as removed, whether or not its objects are.
        shared.replica.removes_nothing.store(removes_nothing, Ordering::Release);
        let id = remove_at_the_first(&shared, [&a, &b]);
        let directory = b.find_loaded(id).unwrap().layout().directory().to_owned();
        assert!(b.find_certain(id).is_none());
        assert!(matches!(b.find(id).unwrap_err(), SessionError::NotFound(_)));
        assert!(b.find_loaded(id).is_none() && !directory.exists());
    }
}

#[test]
fn a_request_of_a_session_that_another_server_has_removed_is_free() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let removed = remove_at_the_first(&shared, [&a, &b]);
    // Of other settings, too.
    let settings =
        Settings { request_id: Some(Uuid::from_u128(7)), gain: 0.5, ..Settings::default() };
    let (session, is_new) = b.create(settings, Plan::for_test(&["vocals"])).unwrap();
    session.wait_until_created().unwrap();
    assert!(is_new && session.id() != removed);
}

#[test]
fn sessions_that_have_ended_are_found_while_the_replica_is_away() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    shared.end(&session);
    assert!(b.find(session.id()).is_ok());
    shared.replica.is_away.store(true, Ordering::Release);
    pass_a_moment(&b, session.id());
    assert!(b.find(session.id()).is_ok() && b.find_certain(session.id()).is_none());
    while b.outage().is_none() {
        std::thread::yield_now();
    }
    assert!(b.find(session.id()).is_ok());
    shared.replica.is_away.store(false, Ordering::Release);
    assert!(b.drain(Instant::now() + Duration::from_secs(60)));
    assert!(b.find(session.id()).is_ok() && b.find_certain(session.id()).is_some());
}

#[test]
fn a_session_that_another_server_has_ended_otherwise_is_read_again() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    shared.end(&session);
    let id = session.id();
    assert_eq!(b.find(id).unwrap().state(), SessionState::Cancelled);
    session.end_for_test(State::Failed);
    assert!(a.drain(Instant::now() + Duration::from_secs(60)));
    pass_a_moment(&b, id);
    assert_eq!(b.find(id).unwrap().state(), SessionState::Failed);
}

#[test]
fn without_a_renewal_a_session_is_not_answered_from_memory() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let a = shared.open(&data.path().join("a"));
    let id = create(&a).id();
    assert!(a.find_certain(id).is_some());
    a.leases().unwrap().miss_renewals();
    assert!(a.find_certain(id).is_none() && a.find(id).is_ok());
}

#[test]
fn a_session_that_is_being_removed_is_neither_read_again_nor_gone() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    let id = session.id();
    // Everything can be read.
    shared.replica.creates_nothing.store(true, Ordering::Release);
    session.end_for_test(State::Removed);
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| a.remove(&session));
        while a.find(id).is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(a.find(id).unwrap_err().reason(), ErrorReason::StoreUnavailable);
        assert_eq!(owner_by(&b, id), "a");
        shared.replica.creates_nothing.store(false, Ordering::Release);
        // It may have been refused before.
        let _ = removed.join().unwrap();
    });
    assert!(a.drain(Instant::now() + Duration::from_secs(60)));
    for store in [&a, &b] {
        store.leases().unwrap().round();
        assert!(matches!(store.find(id).unwrap_err(), SessionError::NotFound(_)));
    }
    assert_eq!(shared.replica.keys(), Vec::<String>::new());
}

#[test]
fn a_server_does_not_remove_what_another_one_continues() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    let id = session.id();
    shared.leases.expire(id);
    let taken = b.find(id).unwrap();
    session.end_for_test(State::Removed);
    assert_eq!(a.remove(&session).unwrap_err().reason(), ErrorReason::StoreUnavailable);
    assert_eq!(taken.add_bytes(3, b"two", u64::MAX).unwrap().length, 6);
    assert_eq!(taken.wait_for_upload(), Ok(6));
    assert_eq!(owner_by(&a, id), "b");
}
