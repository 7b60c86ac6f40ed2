//! Sessions hold a slot only while they can compute; an upload that is slow or silent delays no other session.

mod ends;
mod limits;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::separation::{Counts, Limits, Separations};
use stemwire::session::{Session, SessionState, Settings};

use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::pipeline::{begin, separate, stem, wait_for, wav};

const PATIENCE: Duration = Duration::from_secs(60);

/// Frames of a segment.
const SEGMENT: usize = 8_192;

/// Bytes that hold the first segment and not the second.
const ONE_SEGMENT: usize = SEGMENT * 8 + 2_000;

/// One slot.
const LIMITS: fn() -> Limits = || Limits { slots: 1, free_bytes: 0, ..Limits::default() };

struct Fixture {
    separations: Separations,
    // Goes last.
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// An engine takes `pause` for each segment.
    fn new(limits: Limits, pause: Duration) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let [data, models] = ["data", "models"].map(|name| folder.path().join(name));
        fs::create_dir(&models).unwrap();
        cards(&models, &[("a", "drums bass other vocals", SEGMENT)]);
        let engine = FakeEngine { pause, ..FakeEngine::default() };
        let environment = TestEnvironment::new(&[("a", engine)]).within(limits);
        let separations = environment.separations(&data, &models, &["a"]);
        Fixture { separations, _folder: folder }
    }

    /// A session that has received these bytes and waits for more, without a slot.
    fn parked(&self, bytes: &[u8]) -> Arc<Session> {
        let before = self.separations.counts().parked;
        let (session, _) = self.separations.create(Settings::default()).unwrap();
        self.add(&session, bytes);
        // It is parked before its first bytes, too.
        wait_for(|| session.layout().track().exists() || bytes.is_empty());
        wait_for(|| self.separations.counts().parked == before + 1);
        session
    }

    /// Adds what the session lacks of `bytes`.
    fn add(&self, session: &Arc<Session>, bytes: &[u8]) {
        let held = session.uploaded();
        self.separations.add_bytes(session, held, &bytes[held as usize..]).unwrap();
    }

    /// Adds the rest of an upload and finishes it.
    fn complete(&self, session: &Arc<Session>, upload: &[u8]) {
        self.add(session, upload);
        self.separations.finish_upload(session, upload.len() as u64, None).unwrap();
    }

    /// A session that computes in the only slot, and a later one that has lost it to the first.
    fn contended(&self) -> [Arc<Session>; 2] {
        let upload = upload(40);
        let first = self.parked(&upload[..ONE_SEGMENT]);
        let second = begin(&self.separations, Settings::default(), &upload);
        wait_for(|| second.progress().finished.0 > 0);
        self.complete(&first, &upload);
        wait_for(|| second.progress().queue_position == 1);
        [first, second]
    }
}

/// A song of so many segments.
fn upload(segments: usize) -> Vec<u8> {
    let frames = segments * SEGMENT;
    let samples: Vec<f32> = (0..frames).map(|at| (at as f32 * 0.01).sin() * 0.5).collect();
    wav(&Stereo::from_planes(samples.clone(), samples).unwrap(), 44_100)
}

#[test]
fn uploads_that_do_not_advance_hold_no_slot() {
    let place = Fixture::new(LIMITS(), Duration::ZERO);
    let song = upload(4);
    let silent = place.parked(&[]);
    assert!(!silent.layout().track().exists(), "no decoder is started for nothing");
    for bytes in [1, 40, ONE_SEGMENT] {
        place.parked(&song[..bytes]);
        separate(&place.separations, Settings::default(), &song);
    }
    assert_eq!(place.separations.counts(), Counts { open: 0, queued: 0, parked: 4 });
    assert_eq!(silent.progress().queue_position, 0);
}

#[test]
fn a_session_that_was_parked_has_the_stems_of_one_that_was_not() {
    let place = Fixture::new(LIMITS(), Duration::ZERO);
    let song = upload(5);
    let expected = stem(&separate(&place.separations, Settings::default(), &song), "bass");
    let session = place.parked(&[]);
    for length in [1, 30_000, ONE_SEGMENT, 2 * ONE_SEGMENT, 3 * ONE_SEGMENT] {
        place.add(&session, &song[..length]);
        // Decoders keep less than a segment.
        let frames = (length / 8).saturating_sub(SEGMENT) as u64;
        wait_for(|| session.progress().decoded.0 >= frames);
        wait_for(|| place.separations.counts().parked == 1);
    }
    assert!(session.progress().finished.0 > 0, "what can be computed is");
    place.complete(&session, &song);
    assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
    assert_eq!(stem(&session, "bass"), expected);
}

#[test]
fn the_slot_belongs_to_the_session_that_was_admitted_first() {
    let place = Fixture::new(LIMITS(), Duration::from_millis(30));
    let [first, second] = place.contended();
    assert_eq!(place.separations.wait(&first, PATIENCE), SessionState::Done);
    assert_eq!(second.state(), SessionState::Running, "it waits for its turn");
    assert_eq!(place.separations.wait(&second, PATIENCE), SessionState::Done);
    assert_eq!(stem(&first, "bass"), stem(&second, "bass"));
}

#[test]
fn a_session_that_waits_for_a_slot_does_not_decode_ahead() {
    let place = Fixture::new(LIMITS(), Duration::from_millis(20));
    let [song, longer] = [100, 400].map(upload);
    let first = place.parked(&song[..ONE_SEGMENT]);
    let second = place.parked(&longer[..1]);
    place.complete(&first, &song);
    wait_for(|| first.progress().finished.0 > 0);
    place.complete(&second, &longer);
    wait_for(|| first.progress().finished.0 > 70 * SEGMENT as u64);
    let decoded = second.progress().decoded.0;
    assert_eq!(second.progress().queue_position, 1);
    // The first segment, and what was decoded before its run was notified.
    assert!((SEGMENT as u64..400 * SEGMENT as u64).contains(&decoded), "{decoded}");
    assert_eq!(place.separations.wait(&first, PATIENCE), SessionState::Done);
    wait_for(|| second.progress().finished.0 > 0);
    place.separations.delete(&second).unwrap();
}

#[test]
fn many_sessions_that_stream_at_once_are_all_done() {
    let place = Fixture::new(LIMITS(), Duration::from_millis(1));
    let song = upload(6);
    let sessions: Vec<_> =
        (0..6).map(|_| place.separations.create(Settings::default()).unwrap().0).collect();
    for end in (0..song.len()).step_by(40_000) {
        sessions.iter().for_each(|session| place.add(session, &song[..end]));
    }
    sessions.iter().for_each(|session| place.complete(session, &song));
    for session in &sessions {
        assert_eq!(place.separations.wait(session, PATIENCE), SessionState::Done);
    }
    assert_eq!(place.separations.counts(), Counts { open: 0, queued: 0, parked: 0 });
}
