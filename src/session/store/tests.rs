mod storage;

use std::thread;

use uuid::Uuid;

use super::data_folder::lock_for;
use super::*;
use crate::proto::reason::ErrorReason;
use crate::session::SessionState;
use crate::session::lifecycle::State;

fn plan() -> Plan {
    Plan::for_test(&["vocals"])
}

#[test]
fn a_directory_is_opened_once_its_lock_is_released() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let lock = File::open(data.path().join("lock")).unwrap();
    assert!(!lock_for(&lock, Duration::ZERO).unwrap());
    thread::scope(|scope| {
        // Long enough that the first try meets the lock.
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            drop(store);
        });
        assert!(lock_for(&lock, Duration::from_secs(60)).unwrap());
    });
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
    // As a crash during a write leaves it.
    let unfinished = session.layout().directory().join(".session.jsonXnvETe.new");
    fs::write(&unfinished, "{").unwrap();
    drop((session, store));
    fs::create_dir(data.path().join("sessions").join(SessionId::random().to_string())).unwrap();
    let store = Store::open(data.path()).unwrap();
    assert_eq!(store.find(id).unwrap().uploaded(), 3);
    assert!(!unfinished.exists());
    assert!(!store.is_loaded(), "only the requested session has been read");
    let (again, new) = store.create(named(request), plan()).unwrap();
    assert_eq!((again.id(), new), (id, false));
    store.load();
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
fn a_session_of_a_newer_version_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let request = Uuid::new_v4();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(named(request), plan()).unwrap();
    session.add_bytes(0, b"abc", 100).unwrap();
    session.end_for_test(State::Cancelled);
    let (id, layout) = (session.id(), session.layout().clone());
    drop((session, store));
    let path = layout.manifest();
    let newer = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&path, &newer).unwrap();

    let store = Store::open(data.path()).unwrap();
    let refused = store.find(id).unwrap_err();
    assert!(
        matches!(refused, SessionError::VersionUnsupported { session, version: 2 } if session == id)
    );
    assert!(store.all().is_empty() && store.stored_bytes() == 0);
    let (again, new) = store.create(named(request), plan()).unwrap();
    assert!(new && again.id() != id);
    assert!(store.expired(Retention { age: Duration::ZERO, bytes: 0 }).is_empty());
    drop((again, store));
    Store::open(data.path()).unwrap().load();
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    assert_eq!(fs::read(layout.upload()).unwrap(), b"abc");
}

/// Finishes an upload as the scheduler does.
fn finish(session: &Session, total: u64, sha256: Option<&str>) -> Result<(), SessionError> {
    session
        .finish_upload(total, sha256, |upload| session.update(|manifest| manifest.upload = upload))
}

#[test]
fn an_upload_is_finished_once_and_checked() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    session.add_bytes(0, b"abc", 100).unwrap();
    assert!(matches!(finish(&session, 4, None), Err(SessionError::UploadIncomplete { .. })));
    assert!(matches!(finish(&session, 2, None), Err(SessionError::UploadSizeMismatch { .. })));
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    finish(&session, 3, Some(abc)).unwrap();
    finish(&session, 3, None).unwrap();
    assert!(session.manifest().upload_complete());
    assert!(matches!(session.add_bytes(3, b"d", 100), Err(SessionError::UploadFinished { .. })));
    session.add_bytes(0, b"abc", 100).unwrap();

    let (damaged, _) = store.create(Settings::default(), plan()).unwrap();
    damaged.add_bytes(0, b"abd", 100).unwrap();
    for _ in 0..2 {
        assert!(matches!(finish(&damaged, 3, Some(abc)), Err(SessionError::Failed(_))));
        assert!(matches!(damaged.add_bytes(3, b"d", 100), Err(SessionError::Failed(_))));
    }
    assert_eq!(damaged.refusal().unwrap().reason, ErrorReason::UploadHashMismatch);
    // The scheduler ends it.
    assert_eq!(damaged.state(), SessionState::Uploading);
    let (empty, _) = store.create(Settings::default(), plan()).unwrap();
    assert!(matches!(finish(&empty, 0, None), Err(SessionError::Failed(_))));
}

/// Sessions of an earlier process, one for each settings.
fn earlier(data: &Path, all: &[Settings]) -> Vec<SessionId> {
    let store = Store::open(data).unwrap();
    all.iter().map(|settings| store.create(settings.clone(), plan()).unwrap().0.id()).collect()
}

#[test]
fn a_request_finds_the_session_that_has_not_been_read() {
    let data = tempfile::tempdir().unwrap();
    let request = Uuid::new_v4();
    let ids = earlier(data.path(), &[Settings::default(), named(request), Settings::default()]);
    let store = Store::open(data.path()).unwrap();
    let (unnamed, new) = store.create(Settings::default(), plan()).unwrap();
    assert!(new && !ids.contains(&unnamed.id()));
    assert!(store.all().len() == 1, "nothing else was read");
    let other = Settings { file_name: "other".into(), ..named(request) };
    let error = store.create(other, plan()).unwrap_err();
    assert!(matches!(error, SessionError::RequestConflict { session, .. } if session == ids[1]));
    let (again, new) = store.create(named(request), plan()).unwrap();
    assert_eq!((again.id(), new), (ids[1], false));
    assert_eq!(store.page(None, 10).0.len(), 4);
}

#[test]
fn a_session_is_recovered_once_before_anyone_finds_it() {
    let recover = |session: &Arc<Session>| {
        session.update(|manifest| manifest.recoveries += 1).unwrap();
    };
    let data = tempfile::tempdir().unwrap();
    let ids = earlier(data.path(), &vec![Settings::default(); 20]);
    let store = Store::open(data.path()).unwrap();
    store.recover_with(Box::new(recover));
    let recoveries = |id| store.find(id).unwrap().manifest().recoveries;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| store.load());
        }
        assert!(ids.iter().all(|id| recoveries(*id) == 1));
    });
    assert!(store.is_loaded() && ids.iter().all(|id| recoveries(*id) == 1));
    let removed = store.find(ids[0]).unwrap();
    removed.end_for_test(State::Removed);
    store.remove(&removed).unwrap();
    assert!(matches!(store.find(ids[0]), Err(SessionError::NotFound(_))));
}

/// Runs itself in a process of its own, as it lowers a limit of the process.
#[cfg(unix)]
#[test]
fn a_session_is_read_later_if_too_many_files_are_open() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    const ALONE: &str = "STEMWIRE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        let output = test.args(["--exact", &name]).env(ALONE, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let id = {
        let store = Store::open(data.path()).unwrap();
        store.create(Settings::default(), plan()).unwrap().0.id()
    };
    let store = Store::open(data.path()).unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(0), ..limit }).unwrap();
    store.load();
    let refused = store.find(id).unwrap_err();
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!(refused.reason(), ErrorReason::SystemLimit);
    assert_eq!((store.is_loaded(), store.unreadable()), (false, 0));
    store.load();
    assert!(store.is_loaded() && store.find(id).is_ok());
}
