//! What abnormal ends of the server and of its processes lead to: only a crash of an engine's own process is evidence
//! against the engine, and no session is given up for what others did.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::proto::reason::{ChangeReason, ErrorReason};
use stemwire::separation::{Limits, Separations};
use stemwire::session::{Session, SessionState, Settings};

use crate::support::environment::{Death, FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{begin, separate, stem, wait_for, wav};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const FOUR: &str = "drums bass other vocals";

pub(super) fn upload() -> Vec<u8> {
    let samples: Vec<f32> = (0..200_000).map(|at| (at as f32 * 0.005).sin() * 0.4).collect();
    wav(&Stereo::from_planes(samples.clone(), samples).unwrap(), 44_100)
}

/// Data, and two engines: `a` stops at its third segment until it is `released`.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    pub(super) environment: TestEnvironment,
}

impl Fixture {
    pub(super) fn new(isolated: Option<Death>) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        let models = [("a", FOUR, 32_768), ("b", FOUR, 32_768)];
        cards(&folder.path().join("models"), &models);
        let slow = FakeEngine { fails: Some((2, Fault::Slow)), isolated, ..FakeEngine::default() };
        let environment = TestEnvironment::new(&[("a", slow), ("b", FakeEngine::default())]);
        Fixture { folder, environment }
    }

    pub(super) fn open(&self) -> Separations {
        let path = |name: &str| self.folder.path().join(name);
        self.environment.separations(&path("data"), &path("models"), &["a", "b"])
    }

    /// Lets `a` compute every segment; `isolated` is how it fails in a process of its own.
    pub(super) fn release(&self, isolated: Option<Death>) {
        self.environment.set("a", FakeEngine { isolated, ..FakeEngine::default() });
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.environment.release();
    }
}

/// Ends the separations as a process that is killed while an engine computes the next segment of `session`.
fn kill(separations: Separations, session: &Session) {
    separations.close(Instant::now() + PATIENCE);
    drop(separations);
    let next = session.manifest().commit.segments;
    fs::write(session.layout().computing(next), []).unwrap();
}

/// A session that is killed twice at the same segment, and the separations that find it then.
fn killed_twice(fixture: &Fixture, isolated: Option<Death>) -> (Separations, Arc<Session>) {
    let separations = fixture.open();
    let session = begin(&separations, Settings::default(), &upload());
    wait_for(|| session.manifest().commit.segments == 2);
    kill(separations, &session);
    // It is not released: the second process stops at the same segment.
    fixture
        .environment
        .set("a", FakeEngine { fails: Some((0, Fault::Slow)), ..FakeEngine::default() });
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    wait_for(|| fixture.environment.calls("a") > 0);
    assert!(session.manifest().engine_changes.is_empty());
    kill(separations, &session);
    fixture.release(isolated);
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    (separations, session)
}

#[test]
fn a_server_that_is_killed_twice_at_a_segment_computes_it_in_isolation_with_the_same_bytes() {
    let expected = {
        let fixture = Fixture::new(None);
        fixture.release(None);
        stem(&separate(&fixture.open(), Settings::default(), &upload()), "bass")
    };
    let fixture = Fixture::new(None);
    let (separations, session) = killed_twice(&fixture, None);
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    assert!(session.manifest().engine_changes.is_empty());
    assert_eq!(stem(&session, "bass"), expected);
    assert_eq!(fixture.environment.isolated(), 1, "the next segments are not suspect");
}

#[test]
fn an_engine_that_crashes_its_own_process_is_replaced() {
    let fixture = Fixture::new(None);
    let (separations, session) = killed_twice(&fixture, Some(Death::Crashed));
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    let manifest = session.manifest();
    assert_eq!(manifest.engine_changes.len(), 1);
    assert_eq!(manifest.engine_changes[0].reason, ChangeReason::EngineCrashed);
    assert!(manifest.engine_changes[0].message.contains("SIGSEGV"));
    assert_eq!(fixture.environment.isolated(), 1, "a crash is not tried again");
}

#[test]
fn a_process_that_is_killed_again_and_again_fails_its_session_and_accuses_no_engine() {
    let fixture = Fixture::new(None);
    let (separations, session) = killed_twice(&fixture, Some(Death::Killed));
    wait_for(|| session.manifest().delay().is_some());
    assert_eq!(session.manifest().delay().unwrap().reason, ErrorReason::ProcessKilled);
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Failed);
    let manifest = session.manifest();
    assert_eq!(manifest.failure.as_ref().unwrap().reason, ErrorReason::ProcessKilled);
    assert!(manifest.engine_changes.is_empty());
    assert_eq!(fixture.environment.isolated(), 5);
}

#[test]
fn a_session_that_was_not_computed_does_not_pay_for_the_ends_of_the_server() {
    let fixture = Fixture::new(None);
    let limits = Limits { slots: 1, free_bytes: 0, ..Limits::default() };
    let environment = fixture.environment.clone().within(limits);
    let path = |name: &str| fixture.folder.path().join(name);
    let open = || environment.separations(&path("data"), &path("models"), &["a", "b"]);
    let mut separations = open();
    let running = begin(&separations, Settings::default(), &upload());
    let waiting = begin(&separations, Settings::default(), &upload());
    for _ in 0..40 {
        let session = separations.find(running.id()).unwrap();
        kill(separations, &session);
        separations = open();
    }
    let waiting = separations.find(waiting.id()).unwrap();
    assert_eq!((waiting.state(), waiting.manifest().deaths), (SessionState::Running, 0));
    // The other one may be the cause: it waits for a while, and is not given up either.
    let running = separations.find(running.id()).unwrap();
    assert!(running.manifest().deaths > 8);
    assert_eq!(running.manifest().delay().unwrap().reason, ErrorReason::CrashedTooOften);
    fixture.release(None);
    assert_eq!(separations.wait(&waiting, PATIENCE), SessionState::Done);
}

#[test]
fn what_a_crash_leaves_of_an_ended_session_is_removed() {
    let fixture = Fixture::new(None);
    fixture.release(None);
    let separations = fixture.open();
    let session = separate(&separations, Settings::default(), &upload());
    drop(separations);
    let directory = session.layout().directory();
    fs::create_dir(directory.join("flac")).unwrap();
    let left = ["track.f32", "carry.7", "computing.7", "flac/bass.part"];
    left.iter().for_each(|name| fs::write(directory.join(name), "x").unwrap());
    fs::write(directory.join("flac/bass.flac"), "x").unwrap();
    let separations = fixture.open();
    separations.find(session.id()).unwrap();
    assert!(left.iter().all(|name| !directory.join(name).exists()));
    assert!(directory.join("flac/bass.flac").exists());
}

#[test]
fn progress_clears_what_was_counted() {
    let fixture = Fixture::new(None);
    let (separations, session) = killed_twice(&fixture, None);
    assert_eq!(separations.wait(&session, PATIENCE), SessionState::Done);
    let manifest = session.manifest();
    assert_eq!((manifest.deaths, manifest.kills), (0, 0));
    let left = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(left(session.layout().directory()), 3, "a marker is left");
}
