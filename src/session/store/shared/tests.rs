//! Sessions of servers of one cluster.

mod removals;
mod requests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::proto::reason::ErrorReason;
use crate::session::leases::memory::MemoryLeases;
use crate::session::leases::{LeaseTotals, Leases};
use crate::session::lifecycle::State;
use crate::session::manifest::Plan;
use crate::session::replica::Replica;
use crate::session::replica::memory::MemoryReplica;
use crate::session::store::PageCursor;
use crate::session::{Session, SessionError, SessionId, SessionState, Settings, Store};

/// What the servers share.
#[derive(Default)]
struct SharedStores {
    replica: Arc<MemoryReplica>,
    leases: Arc<MemoryLeases>,
}

impl SharedStores {
    /// A server whose address is the name of its folder.
    fn open(&self, data: &Path) -> Store {
        let replica = Arc::clone(&self.replica) as Arc<dyn Replica>;
        let leases = Arc::clone(&self.leases) as Arc<dyn Leases>;
        let address = data.file_name().unwrap().to_string_lossy().into_owned();
        Store::open_shared(data, replica, leases, address).unwrap()
    }

    /// Ends a session, and waits until the replica and the leases have it so.
    fn end(&self, session: &Session) {
        session.end_for_test(State::Cancelled);
        session.wait_until_ended().unwrap();
        while self.leases.owner(session.id()) != Ok(None) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The lease of a session ends, and servers find that out.
    fn expire(&self, session: SessionId, servers: &[&Store]) {
        servers.iter().for_each(|store| store.leases().unwrap().round());
        self.leases.expire(session);
        for _ in 0..2 {
            servers.iter().for_each(|store| store.leases().unwrap().round());
        }
    }
}

fn create(store: &Store) -> Arc<Session> {
    let (session, _) = store.create(Settings::default(), Plan::for_test(&["vocals"])).unwrap();
    session.add_bytes(0, b"one", u64::MAX).unwrap();
    session.wait_for_upload().unwrap();
    session
}

/// An answer of the replica about a session that is in memory does not count any more.
fn pass_a_moment(store: &Store, id: SessionId) {
    store.find_loaded(id).unwrap().replica().unwrap().forget_confirmation();
}

/// The address of the server that has a session instead of this one.
#[track_caller]
fn owner_by(store: &Store, id: SessionId) -> String {
    match store.find(id).unwrap_err() {
        SessionError::Elsewhere { session, owner } if session == id => owner.address,
        other => panic!("{other}"),
    }
}

#[test]
fn a_session_is_found_only_by_the_server_that_has_it_until_it_ends() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    let id = session.id();
    assert_eq!(owner_by(&b, id), "a");
    assert!(matches!(b.find(SessionId::random()).unwrap_err(), SessionError::NotFound(_)));
    shared.end(&session);
    assert_eq!(b.find(id).unwrap().uploaded(), 3);
    // Neither has it, and both read it.
    assert!(a.find(id).is_ok() && shared.leases.owner(id) == Ok(None));
}

#[test]
fn a_session_is_taken_over_once_its_lease_has_ended() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    let id = session.id();
    // As if the first server were stopped: its leases end.
    shared.expire(id, &[&b]);
    assert!(b.adopt_orphans(|| true), "nothing has asked for it");
    let taken = b.find(id).unwrap();
    assert_eq!(taken.add_bytes(3, b"two", u64::MAX).unwrap().length, 6);
    assert_eq!(taken.wait_for_upload(), Ok(6));
    // It continues, and finds out before it answers or stores anything.
    a.leases().unwrap().miss_renewals();
    assert_eq!(owner_by(&a, id), "b");
    assert!(!session.is_fenced());
    a.leases().unwrap().round();
    assert!(session.is_fenced() && a.find_loaded(id).is_none());
    let lost = LeaseTotals { expired: 1, lost: 1, ..LeaseTotals::default() };
    assert_eq!(a.lease_totals(), Some(lost));
    let taken_over = LeaseTotals { taken_over: 1, ..LeaseTotals::default() };
    assert_eq!(b.lease_totals(), Some(taken_over));
    assert_eq!(owner_by(&a, id), "b");
    a.forget_fenced();
    assert_eq!(owner_by(&a, id), "b");
    assert!(!session.layout().directory().exists());
    // And back.
    drop((taken, b));
    assert_eq!(a.find(id).unwrap().uploaded(), 6);
}

#[test]
fn a_lease_that_was_lost_is_taken_again_if_no_other_server_has_continued() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    shared.expire(session.id(), &[&a, &b]);
    assert!(!b.adopt_orphans(|| true));
    assert_eq!(owner_by(&b, session.id()), "a");
    let regained = LeaseTotals { expired: 1, regained: 1, ..LeaseTotals::default() };
    assert_eq!(a.lease_totals(), Some(regained));
    session.add_bytes(3, b"two", u64::MAX).unwrap();
    assert_eq!(session.wait_for_upload(), Ok(6));
    // All were lost, and the other server is faster.
    shared.leases.expire(session.id());
    shared.leases.are_new.store(true, Ordering::Release);
    assert_eq!(b.find(session.id()).unwrap_err().reason(), ErrorReason::ClusterUnavailable);
    a.leases().unwrap().round();
    assert_eq!(owner_by(&b, session.id()), "a");
    shared.leases.are_new.store(false, Ordering::Release);
    // One that another server has continued, and then left.
    shared.leases.expire(session.id());
    let taken = b.find(session.id()).unwrap();
    taken.update(|manifest| manifest.notices.push("a note".into())).unwrap();
    assert!(b.drain(Instant::now() + Duration::from_secs(60)));
    shared.leases.expire(session.id());
    a.leases().unwrap().round();
    while !session.is_fenced() {
        std::thread::sleep(Duration::from_millis(1));
    }
    a.forget_fenced();
    let late = session.add_bytes(6, b"more", u64::MAX).unwrap_err();
    assert_eq!(late.reason(), ErrorReason::ClusterUnavailable, "it was not deleted");
}

#[test]
fn a_server_that_starts_again_has_its_sessions_at_once() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let a = shared.open(&data.path().join("a"));
    let id = create(&a).id();
    let lease = shared.leases.owner(id).unwrap().unwrap();
    drop(a);
    assert_eq!(shared.leases.owner(id), Ok(None), "another server need not wait");
    // As after a crash.
    assert!(shared.leases.acquire(id, &lease).is_ok());
    let a = shared.open(&data.path().join("a"));
    assert_eq!(a.find(id).unwrap().uploaded(), 3);
    assert_ne!(shared.leases.owner(id).unwrap().unwrap().name, lease.name);
}

#[test]
fn a_server_that_starts_again_reads_what_it_continues_for_a_list_beside_others() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let ended = create(&a);
    shared.end(&ended);
    let continued = create(&a).id();
    let elsewhere = create(&b).id();
    let lease = shared.leases.owner(continued).unwrap().unwrap();
    let ended = ended.id();
    drop(a);
    // As after a crash.
    assert!(shared.leases.acquire(continued, &lease).is_ok());
    let a = shared.open(&data.path().join("a"));
    let ids = |(page, next): (Vec<Arc<Session>>, Option<PageCursor>)| {
        assert_eq!(next, None);
        page.iter().map(|session| session.id()).collect::<Vec<_>>()
    };
    assert_eq!(ids(a.page_beside_others(None, 10)), [continued]);
    assert!(!a.is_loaded() && a.find_loaded(ended).is_none());
    assert_eq!(ids(b.page(None, 10)), [elsewhere]);
    assert_eq!(ids(a.page(None, 10)), [continued, ended]);
    assert_eq!(ids(a.page_beside_others(None, 10)), [continued, ended]);
}

#[test]
fn without_leases_sessions_continue_and_none_is_taken_over() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let session = create(&a);
    let ended = create(&a);
    shared.end(&ended);
    shared.leases.is_away.store(true, Ordering::Release);
    a.leases().unwrap().round();
    session.add_bytes(3, b"two", u64::MAX).unwrap();
    assert_eq!(session.wait_for_upload(), Ok(6));
    let new = create(&a);
    let refused = b.find(new.id()).unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::ClusterUnavailable);
    assert!(b.find(ended.id()).is_ok(), "it needs none");
    shared.leases.is_away.store(false, Ordering::Release);
    a.leases().unwrap().round();
    assert_eq!(owner_by(&b, new.id()), "a");
    assert_eq!(owner_by(&b, session.id()), "a");
}

#[test]
fn a_server_that_alone_is_cut_off_answers_for_no_session_that_another_one_continues() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let cut_off = SharedStores { replica: Arc::clone(&shared.replica), ..SharedStores::default() };
    cut_off.leases.is_away.store(true, Ordering::Release);
    let a = cut_off.open(&data.path().join("a"));
    let b = shared.open(&data.path().join("b"));
    let id = create(&a).id();
    assert_eq!(a.find(id).unwrap().uploaded(), 3);
    let taken = b.find(id).unwrap();
    taken.add_bytes(3, b"two", u64::MAX).unwrap();
    assert_eq!(taken.wait_for_upload(), Ok(6));
    pass_a_moment(&a, id);
    assert_eq!(a.find(id).unwrap_err().reason(), ErrorReason::ClusterUnavailable);
}

#[test]
fn what_another_server_has_removed_is_forgotten_and_what_was_missed_is_read() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let [a, b] = ["a", "b"].map(|name| shared.open(&data.path().join(name)));
    let [removed, kept] = [create(&a), create(&a)];
    [&removed, &kept].into_iter().for_each(|session| shared.end(session));
    assert!(b.find(removed.id()).is_ok() && b.find_loaded(kept.id()).is_none());
    removed.end_for_test(State::Removed);
    a.remove(&removed).unwrap();
    b.look_through(|| true);
    assert!(matches!(b.find(removed.id()).unwrap_err(), SessionError::NotFound(_)));
    assert!(b.find_loaded(kept.id()).is_some());
    let running = create(&a);
    b.look_through(|| true);
    assert_eq!(owner_by(&b, running.id()), "a");
}

#[test]
fn sessions_of_others_are_left_out_when_all_are_read() {
    let (data, shared) = (tempfile::tempdir().unwrap(), SharedStores::default());
    let a = shared.open(&data.path().join("a"));
    let session = create(&a);
    let b = shared.open(&data.path().join("b"));
    assert!(!b.is_loaded());
    b.load();
    assert!(b.is_loaded() && b.all().is_empty());
    assert_eq!(owner_by(&b, session.id()), "a");
}
