//! What is told of a session's end and of its rest is so when it is told, and what comes amid a change is not lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::proto::reason::ErrorReason;
use stemwire::separation::Separations;
use stemwire::session::failure::SessionError;
use stemwire::session::lifecycle::{State, StopReason, UploadState};
use stemwire::session::{Session, SessionState, Settings};

use crate::support::pipeline::{DECODER, begin, wav};
use crate::support::stage::{Script, Stage, cards};

const PATIENCE: Duration = Duration::from_secs(60);

/// Data, and engines that answer at once. The first decoder keeps its session in its place until it is let go.
struct Place {
    separations: Separations,
    upload: Vec<u8>,
    // Goes last.
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let [data, models] = ["data", "models"].map(|name| folder.path().join(name));
        for folder in [&data, &models] {
            fs::create_dir(folder).unwrap();
        }
        cards(&models, &[("a", "drums bass other vocals", 32_768)]);
        std::os::unix::fs::symlink(DECODER, data.join("decoder")).unwrap();
        let decoder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/held_decoder.sh");
        let stage = Stage::new(&[("a", Script::default())]);
        let separations = stage.separations_by(&decoder, &data, &models, &["a"]);
        let samples: Vec<f32> = (0..100_000).map(|at| (at as f32 * 0.01).sin() * 0.5).collect();
        let upload = wav(&Stereo::from_planes(samples.clone(), samples).unwrap(), 44_100);
        Place { separations, upload, folder }
    }

    /// The file that lets a decoder hold its session's place.
    fn hold(&self) -> PathBuf {
        self.folder.path().join("data/hold")
    }

    /// Waits until the decoder says so.
    fn wait_until(&self, word: &str) {
        let said = self.hold().with_file_name(word);
        wait_for(|| said.exists());
        fs::remove_file(said).unwrap();
    }

    /// A session that holds all bytes of its upload and has been asked to rest, but cannot yet.
    fn about_to_rest(&self, complete: bool) -> Arc<Session> {
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

    /// The client of the session leaves.
    fn leave(&self, session: &Arc<Session>) {
        let call = self.separations.take_over(session).unwrap();
        self.separations.client_left(session, call);
    }

    fn finish(&self, session: &Arc<Session>) {
        self.separations.finish_upload(session, self.upload.len() as u64, None).unwrap();
    }

    /// Lets it leave its place; answers where it stands in the end.
    fn let_go(&self, session: &Session) -> SessionState {
        assert_ne!(session.state(), SessionState::Paused, "it was held");
        fs::remove_file(self.hold()).unwrap();
        self.separations.wait(session, PATIENCE)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whatever is held ends.
        let _ = fs::remove_file(self.hold());
    }
}

fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_session_that_is_done_has_left_its_place_and_nothing_but_its_results() {
    let place = Place::new();
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
fn a_session_whose_upload_is_refused_has_left_its_place() {
    let place = Place::new();
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
fn who_cancels_what_is_about_to_rest_is_heard() {
    let place = Place::new();
    let session = place.about_to_rest(false);
    place.separations.cancel(&session);
    assert_eq!(place.let_go(&session), SessionState::Cancelled);
}

#[test]
fn what_is_about_to_rest_goes_on_where_its_upload_does() {
    let place = Place::new();
    let session = place.about_to_rest(false);
    place.finish(&session);
    assert_eq!(place.let_go(&session), SessionState::Done);

    let session = place.about_to_rest(false);
    // Nothing new, but somebody is there again.
    place.separations.add_bytes(&session, 0, &place.upload[..10]).unwrap();
    fs::remove_file(place.hold()).unwrap();
    wait_for(|| session.state() == SessionState::Paused || !session.lifecycle().is_pausing());
    assert_eq!(session.state(), SessionState::Uploading);
    place.finish(&session);
    assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
}

#[test]
fn who_waits_for_what_is_about_to_rest_gets_it() {
    let place = Place::new();
    let session = place.about_to_rest(true);
    let _watching = place.separations.watch(&session).unwrap();
    assert_eq!(place.let_go(&session), SessionState::Done);

    // And who was there before keeps it from resting.
    fs::write(place.hold(), []).unwrap();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.wait_until("held");
    let _watching = place.separations.watch(&session).unwrap();
    place.leave(&session);
    assert!(!session.lifecycle().is_pausing());
    assert_eq!(place.let_go(&session), SessionState::Done);
}

#[test]
fn a_client_that_the_server_leaves_has_not_left() {
    let place = Place::new();
    fs::write(place.hold(), []).unwrap();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.wait_until("held");
    let call = place.separations.take_over(&session).unwrap();
    assert!(!place.separations.close(Instant::now()), "it is held");
    place.separations.client_left(&session, call);
    let stopping = State::Stopping(UploadState::Complete, StopReason::Shutdown);
    assert_eq!(session.lifecycle(), stopping, "the next server continues with it");
}

#[test]
fn a_session_is_removed_once() {
    let place = Place::new();
    let session = begin(&place.separations, Settings::default(), &place.upload);
    place.separations.delete(&session).unwrap();
    assert!(matches!(place.separations.delete(&session), Err(SessionError::NotFound(_))));
}
