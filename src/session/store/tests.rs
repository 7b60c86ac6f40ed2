use std::time::Duration;

use super::*;
use crate::audio::{Frames, Hertz};
use crate::session::{Reason, SessionState};

fn plan() -> Plan {
    let stems = vec!["vocals".parse().unwrap()];
    let (model_rate, segment) = (Hertz(44_100), Frames(176_400));
    let (model, columns) = ("mini".into(), None);
    Plan { model, model_rate, segment, stems, overlap: 0.25, columns }
}

fn named(request: Uuid) -> Settings {
    Settings { request_id: Some(request), ..Settings::default() }
}

#[test]
fn sessions_are_found_again_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let request = Uuid::new_v4();
    let store = Store::open(data.path()).unwrap();
    let (session, new) = store.create(named(request), plan()).unwrap();
    assert!(new);
    session.add_bytes(0, b"abc", 100).unwrap();
    let id = session.id();
    assert_eq!(Store::open(data.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop((session, store));
    fs::create_dir(data.path().join("sessions").join(SessionId::random().to_string())).unwrap();
    let store = Store::open(data.path()).unwrap();
    assert_eq!(store.find(id).unwrap().uploaded(), 3);
    let (again, new) = store.create(named(request), plan()).unwrap();
    assert_eq!((again.id(), new), (id, false));
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 1);
}

#[test]
fn one_request_is_one_session() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let request = Uuid::new_v4();
    let (first, _) = store.create(named(request), plan()).unwrap();
    let other = Settings { file_name: "other".into(), ..named(request) };
    let error = store.create(other, plan()).unwrap_err();
    assert!(
        matches!(error, SessionError::RequestConflict { session, .. } if session == first.id())
    );
    let (unnamed, new) = store.create(Settings::default(), plan()).unwrap();
    assert!(new && unnamed.id() != first.id());
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let make = |_| store.create(Settings::default(), plan()).unwrap().0.id();
    let mut made: Vec<_> = (0..7).map(make).collect();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let (page, next) = store.page(cursor, 3);
        seen.extend(page.iter().map(|session| (session.manifest().created, session.id())));
        let Some(next) = next else { break };
        assert_eq!(PageCursor::from_token(&next.to_token()), Some(next));
        cursor = Some(next);
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    made.reverse();
    assert_eq!(seen.iter().map(|(_, id)| *id).collect::<Vec<_>>(), made, "the newest is the first");
    assert_eq!(PageCursor::from_token("nonsense"), None);
}

#[test]
fn a_clock_that_was_set_back_is_believed() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    session.update(|manifest| manifest.created = Timestamp(u64::MAX)).unwrap();
    drop((session, store));
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    assert!(session.manifest().created <= Timestamp::now());
}

#[test]
fn retention_spares_what_runs_and_what_is_read() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let policy = Retention { age: Duration::ZERO, bytes: 0 };
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    assert_eq!(store.apply(policy), 0);
    session.cancel();
    let lease = session.read_lease();
    assert_eq!(store.apply(policy), 0);
    drop(lease);
    assert_eq!(store.apply(policy), 1);
    assert!(matches!(store.remove(&session), Err(SessionError::NotFound(_))), "it is gone once");
    assert!(matches!(store.find(session.id()), Err(SessionError::NotFound(_))));
    assert!(!session.layout().directory().exists());
}

#[test]
fn a_session_of_a_newer_version_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let request = Uuid::new_v4();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(named(request), plan()).unwrap();
    session.add_bytes(0, b"abc", 100).unwrap();
    session.cancel();
    let (id, layout) = (session.id(), session.layout().clone());
    drop((session, store));
    let path = layout.manifest();
    let newer = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&path, &newer).unwrap();

    let store = Store::open(data.path()).unwrap();
    assert!(store.find(id).is_err() && store.all().is_empty() && store.stored_bytes() == 0);
    let (again, new) = store.create(named(request), plan()).unwrap();
    assert!(new && again.id() != id);
    assert_eq!(store.apply(Retention { age: Duration::ZERO, bytes: 0 }), 0);
    drop((again, store));
    drop(Store::open(data.path()).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    assert_eq!(fs::read(layout.upload()).unwrap(), b"abc");
}

#[test]
fn an_upload_is_finished_once_and_checked() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    session.add_bytes(0, b"abc", 100).unwrap();
    assert!(matches!(session.finish_upload(4, None), Err(SessionError::UploadIncomplete { .. })));
    assert!(matches!(session.finish_upload(2, None), Err(SessionError::UploadSizeMismatch { .. })));
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    session.finish_upload(3, Some(abc)).unwrap();
    session.finish_upload(3, None).unwrap();
    assert_eq!(session.state(), SessionState::Running);
    assert!(matches!(session.add_bytes(3, b"d", 100), Err(SessionError::UploadFinished { .. })));
    session.add_bytes(0, b"abc", 100).unwrap();

    let (damaged, _) = store.create(Settings::default(), plan()).unwrap();
    damaged.add_bytes(0, b"abd", 100).unwrap();
    for _ in 0..2 {
        assert!(matches!(damaged.finish_upload(3, Some(abc)), Err(SessionError::Failed(_))));
        assert!(matches!(damaged.add_bytes(3, b"d", 100), Err(SessionError::Failed(_))));
    }
    assert_eq!(damaged.refusal().unwrap().reason, Reason::UploadHashMismatch);
    // Whoever gives places ends it.
    assert_eq!(damaged.state(), SessionState::Uploading);
    let (empty, _) = store.create(Settings::default(), plan()).unwrap();
    assert!(matches!(empty.finish_upload(0, None), Err(SessionError::Failed(_))));
}
