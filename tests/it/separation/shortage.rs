//! Sessions that run into the limits of the disk space are delayed, and end with the same bytes.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::proto::reason::ErrorReason;
use stemwire::separation::{Limits, Separations};
use stemwire::session::lifecycle::State;
use stemwire::session::retention::Retention;
use stemwire::session::{Session, SessionState, Settings};

use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{begin, separate, stem, wav};

const PATIENCE: Duration = Duration::from_secs(60);

/// About 0.8 MB, whose stems take four times as much.
fn upload() -> Vec<u8> {
    let samples: Vec<f32> = (0..100_000).map(|at| (at as f32 * 0.01).sin() * 0.5).collect();
    wav(&Stereo::from_planes(samples.clone(), samples).unwrap(), 44_100)
}

/// Separations whose sessions may take so many bytes.
fn separations(folder: &tempfile::TempDir, stored: u64) -> Separations {
    let [data, models] = ["data", "models"].map(|name| folder.path().join(name));
    if !models.exists() {
        fs::create_dir(&models).unwrap();
        cards(&models, &[("a", "drums bass other vocals", 32_768)]);
    }
    let retention = Retention { bytes: stored, ..Limits::default().retention };
    let limits = Limits { retention, free_bytes: 0, ..Limits::default() };
    let environment = TestEnvironment::new(&[("a", FakeEngine::default())]).within(limits);
    environment.separations(&data, &models, &["a"])
}

#[track_caller]
fn wait_until_delayed(session: &Session, reason: ErrorReason) {
    let begun = Instant::now();
    while session.manifest().delay().is_none_or(|delay| delay.reason != reason) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", session.lifecycle());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_session_that_finds_the_storage_full_continues_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 8_000_000;
    let separations = separations(&folder, limit);
    let first = separate(&separations, Settings::default(), &upload());
    let expected = stem(&first, "bass");
    // Retention does not remove it as long as it is read.
    let reader = first.register_reader();
    let session = begin(&separations, Settings::default(), &upload());
    wait_until_delayed(&session, ErrorReason::StorageFull);
    assert_eq!(session.state(), SessionState::Paused);
    assert!(separations.store().stored_bytes() <= limit);
    let committed = session.manifest().commit.segments;
    assert!(committed > 0, "it went as far as it could");

    drop(reader);
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    assert_eq!(stem(&session, "bass"), expected);
    assert!(session.manifest().delay().is_none());
    assert!(!first.layout().directory().exists(), "the oldest ended session made space");
    assert!(separations.store().stored_bytes() <= limit);
}

#[test]
fn a_delayed_session_continues_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let session = {
        let separations = separations(&folder, 2_500_000);
        let session = begin(&separations, Settings::default(), &upload());
        wait_until_delayed(&session, ErrorReason::StorageFull);
        assert!(separations.close(Instant::now() + PATIENCE));
        session
    };
    assert!(session.lifecycle().is_delayed());
    let separations = separations(&folder, u64::MAX);
    let session = separations.find(session.id()).unwrap();
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
}

#[test]
fn an_upload_that_finds_the_storage_full_can_be_continued() {
    let folder = tempfile::tempdir().unwrap();
    let separations = separations(&folder, 6_000_000);
    let first = separate(&separations, Settings::default(), &upload());
    let reader = first.register_reader();
    let (session, _) = separations.create(Settings::default()).unwrap();
    let large = vec![0; 3_000_000];
    let refused = separations.add_bytes(&session, 0, &large).unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::StorageFull);
    assert_eq!((session.uploaded(), session.state()), (0, SessionState::Uploading));
    drop(reader);
    separations.delete(&first).unwrap();
    separations.add_bytes(&session, 0, &upload()).unwrap();
    separations.finish_upload(&session, upload().len() as u64, None).unwrap();
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
}

#[test]
fn a_delayed_session_can_be_cancelled_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let separations = separations(&folder, 2_500_000);
    let session: Arc<Session> = begin(&separations, Settings::default(), &upload());
    wait_until_delayed(&session, ErrorReason::StorageFull);
    assert!(!session.layout().track().exists(), "others can use its space");
    separations.cancel(&session);
    assert_eq!((session.state(), session.lifecycle()), (SessionState::Cancelled, State::Cancelled));
    assert!(session.manifest().delay().is_none());
    separations.delete(&session).unwrap();
    assert!(!session.layout().directory().exists());
}

/// Separations by engines `a` and `b`, of which `a` lacks memory.
fn with_lack_of_memory(
    folder: &tempfile::TempDir,
    environment: &TestEnvironment,
    (fault, from, times): (Fault, usize, usize),
) -> Separations {
    let [data, models] = ["data", "models"].map(|name| folder.path().join(name));
    fs::create_dir(&models).unwrap();
    let four = "drums bass other vocals";
    cards(&models, &[("a", four, 32_768), ("b", four, 32_768)]);
    let fails = Some((from, fault));
    environment.set("a", FakeEngine { fails, times, ..FakeEngine::default() });
    environment.separations(&data, &models, &["a", "b"])
}

#[test]
fn a_model_that_lacks_memory_to_load_is_waited_for_and_not_taken_out_of_use() {
    let folder = tempfile::tempdir().unwrap();
    let environment = TestEnvironment::default();
    let separations = with_lack_of_memory(&folder, &environment, (Fault::LoadMemory, 0, 1));
    let session = begin(&separations, Settings::default(), &upload());
    wait_until_delayed(&session, ErrorReason::SystemLimit);
    assert!(separations.chain().circuit_breakers().is_closed("a"));
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    assert!(session.manifest().engine_changes.is_empty());
    assert_eq!(environment.calls("b"), 0);
}

#[test]
fn an_engine_that_lacks_memory_is_waited_for_and_not_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let environment = TestEnvironment::default();
    let lacking = |from, times| {
        let fails = Some((from, Fault::Memory));
        environment.set("a", FakeEngine { fails, times, ..FakeEngine::default() });
    };
    let separations = with_lack_of_memory(&folder, &environment, (Fault::Memory, usize::MAX, 0));
    let expected = stem(&separate(&separations, Settings::default(), &upload()), "bass");
    lacking(1, 1);
    let session = begin(&separations, Settings::default(), &upload());
    wait_until_delayed(&session, ErrorReason::SystemLimit);
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    assert!(session.manifest().engine_changes.is_empty());
    assert_eq!((stem(&session, "bass"), session.manifest().memory_waits), (expected, 0));
    // Not for ever: the next engine may need less.
    lacking(0, usize::MAX);
    let session = begin(&separations, Settings::default(), &upload());
    wait_until_delayed(&session, ErrorReason::SystemLimit);
    session.update(|manifest| manifest.memory_waits = 6).unwrap();
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    let changes = &session.manifest().engine_changes;
    assert_eq!(changes.len(), 1);
    assert!(changes[0].message.contains("lack of memory"), "{}", changes[0].message);
}
