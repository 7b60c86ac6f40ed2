//! What sessions occupy, and what retention removes.

use super::*;

#[test]
fn retention_spares_what_runs_and_what_is_read() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let policy = Retention { age: Duration::ZERO, bytes: 0 };
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    assert!(store.expired(policy).is_empty());
    session.end_for_test(State::Cancelled);
    let guard = session.register_reader();
    assert!(store.expired(policy).is_empty());
    drop(guard);
    assert_eq!(store.expired(policy)[0].id(), session.id());
    session.end_for_test(State::Removed);
    store.remove(&session).unwrap();
    assert!(matches!(store.find(session.id()), Err(SessionError::NotFound(_))));
    assert!(!session.layout().directory().exists());
}

/// Kills a process amid the removal of a session with so many files that it takes a while.
#[cfg(unix)]
#[test]
fn a_removal_that_is_killed_leaves_no_session() {
    const FOLDER: &str = "STEMWIRE_TEST_REMOVAL";
    if let Some(data) = std::env::var_os(FOLDER) {
        let store = Store::open(Path::new(&data)).unwrap();
        store.load();
        let session = &store.all()[0];
        session.end_for_test(State::Removed);
        store.remove(session).unwrap();
        return;
    }
    for _ in 0..20 {
        let data = tempfile::tempdir().unwrap();
        let id = earlier(data.path(), &[Settings::default()])[0];
        let layout = Layout::new(&data.path().join("sessions"), id);
        (0..5_000).for_each(|n| fs::write(layout.stems().join(n.to_string()), []).unwrap());
        let name = std::thread::current().name().unwrap().to_owned();
        let mut removing = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(FOLDER, data.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while layout.manifest().exists() && removing.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        removing.kill().unwrap();
        removing.wait().unwrap();
        let is_partial = layout.directory().exists();
        let store = Store::open(data.path()).unwrap();
        assert!(matches!(store.find(id), Err(SessionError::NotFound(_))));
        assert!(!layout.directory().exists());
        if is_partial {
            return;
        }
    }
    panic!("no removal was interrupted");
}

#[test]
fn nothing_is_removed_before_all_sessions_have_been_read() {
    let data = tempfile::tempdir().unwrap();
    let ids = earlier(data.path(), &[Settings::default(), Settings::default()]);
    let store = Store::open(data.path()).unwrap();
    store.find(ids[0]).unwrap().end_for_test(State::Cancelled);
    let policy = Retention { age: Duration::ZERO, bytes: 0 };
    assert!(store.expired(policy).is_empty());
    store.load();
    store.measure_while(|| true);
    assert_eq!(store.expired(policy).len(), 1);
}

/// Allocated bytes below a folder, without directories, as `du` counts them.
fn allocated(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let size = |path: PathBuf| match path.is_dir() {
        true => allocated(&path),
        false => crate::files::allocated_bytes(&path.metadata().unwrap()),
    };
    entries.map(size).sum()
}

#[test]
fn stored_bytes_are_those_on_disk_whenever_a_session_commits_or_ends() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    let (other, _) = store.create(Settings::default(), plan()).unwrap();
    session.add_bytes(0, &[1; 100_000], 1_000_000).unwrap();
    assert!(store.stored_bytes() >= 100_000);
    fs::write(session.layout().track(), [1; 300_000]).unwrap();
    session.count_written(300_000);
    assert!(store.stored_bytes() >= 400_000);
    session.update(|manifest| manifest.commit.segments = 1).unwrap();
    assert_eq!(store.stored_bytes(), allocated(store.folder()));
    session.end_for_test(State::Cancelled);
    assert_eq!(store.stored_bytes(), allocated(store.folder()));
    assert!(store.stored_bytes() < 300_000, "the track is gone");
    session.end_for_test(State::Removed);
    store.remove(&session).unwrap();
    session.measure();
    assert_eq!(store.stored_bytes(), allocated(store.folder()));
    drop((session, other, store));

    let store = Store::open(data.path()).unwrap();
    store.load();
    store.measure_while(|| true);
    assert_eq!(store.stored_bytes(), allocated(store.folder()));
}

#[test]
fn counting_stored_bytes_touches_no_file() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let (session, _) = store.create(Settings::default(), plan()).unwrap();
    let counted = store.stored_bytes();
    assert!(counted > 0);
    fs::remove_dir_all(session.layout().directory()).unwrap();
    assert_eq!(store.stored_bytes(), counted);
}
