//! Removals of sessions that the replica does not have as removed yet.

use super::*;

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
