//! Events during a stop are not lost, and a session whose end is visible has released its slot.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::proto::reason::ErrorReason;
use stemwire::separation::Separations;
use stemwire::session::lifecycle::{State, StopReason, UploadState};
use stemwire::session::{Session, SessionError, SessionState, Settings};

use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::pipeline::{DECODER, begin, wait_for, wav};

const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory with engines that return at once. A decoder keeps its session in its slot while it is held.
struct Fixture {
    separations: Separations,
    upload: Vec<u8>,
    // Goes last.
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let [data, models] = ["data", "models"].map(|name| folder.path().join(name));
        for folder in [&data, &models] {
            fs::create_dir(folder).unwrap();
        }
        cards(&models, &[("a", "drums bass other vocals", 32_768)]);
        std::os::unix::fs::symlink(DECODER, data.join("decoder")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/held_decoder.sh");
        let decoder = data.join("held_decoder");
        std::os::unix::fs::symlink(script, &decoder).unwrap();
        let stage = TestEnvironment::new(&[("a", FakeEngine::default())]);
        let separations = stage.separations_by(&decoder, &data, &models, &["a"]);
        let samples: Vec<f32> = (0..100_000).map(|at| (at as f32 * 0.01).sin() * 0.5).collect();
        let upload = wav(&Stereo::from_planes(samples.clone(), samples).unwrap(), 44_100);
        Fixture { separations, upload, folder }
    }

    /// The file that makes a decoder keep its session's slot.
    fn hold(&self) -> PathBuf {
        self.folder.path().join("data/hold")
    }

    /// Waits until the decoder has written the file `word`.
    fn wait_until(&self, word: &str) {
        let file = self.hold().with_file_name(word);
        wait_for(|| file.exists());
        fs::remove_file(file).unwrap();
    }

    /// A session with a complete upload that was asked to pause but is held in its slot.
    fn pausing(&self, complete: bool) -> Arc<Session> {
        fs::write(self.hold(), "rest").unwrap();
        let (session, _) = self.separations.create(Settings::default()).unwrap();
        self.separations.add_bytes(&session, 0, &self.upload).unwrap();
        if complete {
            self.finish(&session);
        }
        self.wait_until("held");
        self.leave(&session);
        self.wait_until("left");
        assert!(session.lifecycle().is_pausing());
        session
    }

    /// The session's client disconnects.
    fn leave(&self, session: &Arc<Session>) {
        let call = self.separations.take_over(session, None).unwrap().unwrap();
        self.separations.client_left(session, call);
    }

    fn finish(&self, session: &Arc<Session>) {
        self.separations.finish_upload(session, self.upload.len() as u64, None).unwrap();
    }

    /// Releases the session and returns its final state.
    fn release(&self, session: &Session) -> SessionState {
        assert_ne!(session.state(), SessionState::Paused, "it was held");
        fs::remove_file(self.hold()).unwrap();
        self.separations.wait(session, PATIENCE)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Decoders that are held end.
        let _ = fs::remove_file(self.hold());
    }
}

#[test]
fn a_session_that_is_done_has_released_its_slot_and_left_only_its_results() {
    let place = Fixture::new();
    for _ in 0..5 {
        let session = begin(&place.separations, Settings::default(), &place.upload);
        assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
        assert_eq!(place.separations.counts().open, 0);
        let entries = fs::read_dir(session.layout().directory()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["session.json", "stems", "upload"]);
    }
}

#[test]
fn a_session_whose_upload_is_refused_has_released_its_slot() {
    let place = Fixture::new();
    let (session, _) = place.separations.create(Settings::default()).unwrap();
    place.separations.add_bytes(&session, 0, &place.upload).unwrap();
    let wrong = "00".repeat(32);
    let refused =
        place.separations.finish_upload(&session, place.upload.len() as u64, Some(&wrong));
    assert!(refused.is_err());
    assert_eq!((session.state(), place.separations.counts().open), (SessionState::Failed, 0));
    assert_eq!(
        session.manifest().failure.as_ref().unwrap().reason,
        ErrorReason::UploadHashMismatch
    );
}

#[test]
fn a_session_can_be_cancelled_while_it_pauses() {
    let place = Fixture::new();
    let session = place.pausing(false);
    place.separations.cancel(&session);
    assert_eq!(place.release(&session), SessionState::Cancelled);
}

#[test]
fn bytes_or_the_end_of_the_upload_resume_a_session_that_pauses() {
    let place = Fixture::new();
    let session = place.pausing(false);
    place.finish(&session);
    assert_eq!(place.release(&session), SessionState::Done);

    let session = place.pausing(false);
    // Repeated bytes: the client is back.
    place.separations.add_bytes(&session, 0, &place.upload[..10]).unwrap();
    fs::remove_file(place.hold()).unwrap();
    wait_for(|| session.state() == SessionState::Paused || !session.lifecycle().is_pausing());
    assert_eq!(session.state(), SessionState::Uploading);
    place.finish(&session);
    assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
}

#[test]
fn a_watcher_resumes_a_session_that_pauses_and_keeps_one_from_pausing() {
    let place = Fixture::new();
    let session = place.pausing(true);
    let _watching = place.separations.watch(&session).unwrap();
    assert_eq!(place.release(&session), SessionState::Done);

    // A watcher that was there before the client left.
    fs::write(place.hold(), []).unwrap();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.wait_until("held");
    let _watching = place.separations.watch(&session).unwrap();
    place.leave(&session);
    assert!(!session.lifecycle().is_pausing());
    assert_eq!(place.release(&session), SessionState::Done);
}

#[test]
fn a_call_that_breaks_off_because_the_server_stops_does_not_pause_its_session() {
    let place = Fixture::new();
    fs::write(place.hold(), []).unwrap();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.wait_until("held");
    let call = place.separations.take_over(&session, None).unwrap().unwrap();
    assert!(!place.separations.close(Instant::now()), "it is held");
    place.separations.client_left(&session, call);
    let stopping = State::Stopping(UploadState::Complete, StopReason::Shutdown);
    assert_eq!(session.lifecycle(), stopping, "the next server continues with it");
}

#[test]
fn a_session_is_removed_once() {
    let place = Fixture::new();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.separations.delete(&session).unwrap();
    assert!(matches!(place.separations.delete(&session), Err(SessionError::NotFound(_))));
}

#[test]
fn a_call_that_lost_its_session_to_another_cannot_pause_it() {
    let place = Fixture::new();
    fs::write(place.hold(), []).unwrap();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.wait_until("held");
    let [first, second] =
        [(); 2].map(|()| place.separations.take_over(&session, None).unwrap().unwrap());
    place.separations.client_left(&session, first);
    assert_eq!(session.lifecycle(), State::Open(UploadState::Complete));
    place.separations.client_left(&session, second);
    assert!(session.lifecycle().is_pausing());
    // Taken over while it pauses, it goes back to the queue.
    place.separations.take_over(&session, None).unwrap().unwrap();
    assert_eq!(place.release(&session), SessionState::Done);
}

#[test]
fn late_bytes_of_a_call_do_not_resume_a_session_that_its_client_left() {
    let place = Fixture::new();
    let total = place.upload.len() as u64;
    for left_last in [false, true] {
        fs::write(place.hold(), []).unwrap();
        let (session, _) = place.separations.create(Settings::default()).unwrap();
        let call = place.separations.take_over(&session, None).unwrap().unwrap();
        place.separations.add_bytes_of_call(&session, call, 0, &place.upload).unwrap();
        place.wait_until("held");
        if !left_last {
            place.separations.client_left(&session, call);
            place.separations.add_bytes_of_call(&session, call, 0, &place.upload).unwrap();
        }
        place.separations.finish_upload_of_call(&session, call, total, None).unwrap();
        if left_last {
            place.separations.client_left(&session, call);
        }
        let pausing = State::Stopping(UploadState::Complete, StopReason::Pause);
        assert_eq!(session.lifecycle(), pausing, "left last: {left_last}");
        fs::remove_file(place.hold()).unwrap();
        place.separations.wait_stopped(&session).unwrap();
        assert_eq!(session.state(), SessionState::Paused);
        place.separations.add_bytes_of_call(&session, call, 0, &place.upload).unwrap();
        place.separations.finish_upload_of_call(&session, call, total, None).unwrap();
        assert_eq!(session.state(), SessionState::Paused);
        // A request of its own is of a client that is there.
        place.finish(&session);
        assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
    }
}

#[test]
fn a_watched_session_is_computed_however_late_its_upload_is_finished() {
    let place = Fixture::new();
    let total = place.upload.len() as u64;
    let (session, _) = place.separations.create(Settings::default()).unwrap();
    let call = place.separations.take_over(&session, None).unwrap().unwrap();
    place.separations.add_bytes_of_call(&session, call, 0, &place.upload).unwrap();
    let _watching = place.separations.watch(&session).unwrap();
    place.separations.client_left(&session, call);
    place.separations.wait_stopped(&session).unwrap();
    assert_eq!(session.state(), SessionState::Paused, "watchers do not send its upload");
    place.separations.finish_upload_of_call(&session, call, total, None).unwrap();
    assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
}

#[test]
fn an_abandoned_form_leaves_nothing_unless_its_session_has_failed() {
    let place = Fixture::new();
    fs::write(place.hold(), []).unwrap();
    let (session, _) = place.separations.create(Settings::default()).unwrap();
    place.separations.add_bytes(&session, 0, &place.upload).unwrap();
    place.wait_until("held");
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| place.separations.form_abandoned(&session).unwrap());
        wait_for(|| session.stop_requested());
        fs::remove_file(place.hold()).unwrap();
        assert!(removed.join().unwrap());
    });
    assert_eq!(place.separations.counts().open, 0);
    assert!(!session.layout().directory().exists());

    let (session, _) = place.separations.create(Settings::default()).unwrap();
    let total = place.upload.len() as u64;
    place.separations.add_bytes(&session, 0, &place.upload).unwrap();
    place.separations.finish_upload(&session, total, None).unwrap();
    assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
    assert!(place.separations.form_abandoned(&session).unwrap());
    assert!(!session.layout().directory().exists());

    let (session, _) = place.separations.create(Settings::default()).unwrap();
    assert!(place.separations.finish_upload(&session, 0, None).is_err());
    assert!(!place.separations.form_abandoned(&session).unwrap());
    assert_eq!(session.state(), SessionState::Failed, "it can tell why");
}
