//! Passages of digital zero in the upload are zero in the stems, whatever the engine makes of them.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::separation::Separations;
use stemwire::session::settings::{Normalization, OutputRate};
use stemwire::session::{Session, SessionState, Settings};

use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{begin, stem, wait_for, wav};

const STEMS: &str = "drums bass other vocals";
const SEGMENT: usize = 32_768;
const FRAMES: usize = 8 * 24_576 + 5_000;

/// The engine's output for silence; what a frame outside of passages is never near to.
const HISSING: FakeEngine = FakeEngine {
    real: false,
    gain: 1.0,
    tilt: 0.1,
    hiss: 0.01,
    pause: Duration::ZERO,
    fails: None,
    times: usize::MAX,
    isolated: None,
};

/// The silent frames of each channel: in front, within a segment, across segments and to the end. Those of 40 ms are too
/// short.
const SILENT: [&[Range<usize>]; 2] = [
    &[0..20_000, 60_000..63_000, 90_000..140_000],
    &[60_000..62_500, 70_000..71_700, 180_000..FRAMES],
];
const TOO_SHORT: Range<usize> = 70_000..71_700;

fn song() -> Stereo {
    let plane = |silent: &[Range<usize>]| -> Vec<f32> {
        let sample = |at: usize| (at as f32 * 0.01).sin() * 0.2 + 0.3;
        let is_silent = |at: usize| silent.iter().any(|range| range.contains(&at));
        (0..FRAMES).map(|at| if is_silent(at) { 0.0 } else { sample(at) }).collect()
    };
    Stereo::from_planes(plane(SILENT[0]), plane(SILENT[1])).unwrap()
}

struct Fixture {
    folder: tempfile::TempDir,
    stage: TestEnvironment,
}

impl Fixture {
    fn new(first: FakeEngine) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        fs::create_dir(&models).unwrap();
        cards(&models, &[("a", STEMS, SEGMENT), ("b", STEMS, SEGMENT)]);
        Fixture { folder, stage: TestEnvironment::new(&[("a", first), ("b", HISSING)]) }
    }

    fn open(&self) -> Separations {
        let path = |name: &str| self.folder.path().join(name);
        self.stage.separations(&path("data"), &path("models"), &["a", "b"])
    }
}

fn finished(separations: &Separations, session: Arc<Session>) -> Arc<Session> {
    let state = separations.wait(&session, Duration::from_secs(60));
    assert_eq!(state, SessionState::Done, "{:?}", session.manifest().failure);
    session
}

/// The bass of a song with and without silent passages.
fn with_and_without(first: FakeEngine, settings: &Settings, upload: &[u8]) -> (Stereo, Stereo) {
    let both = [true, false].map(|silent_passages| {
        let fixture = Fixture::new(first);
        let separations = fixture.open();
        let (session, _) = separations.create(settings.clone()).unwrap();
        session.update(|manifest| manifest.plan.silent_passages = silent_passages).unwrap();
        separations.add_bytes(&session, 0, upload).unwrap();
        separations.finish_upload(&session, upload.len() as u64, None).unwrap();
        stem(&finished(&separations, session), "bass")
    });
    let [with, without] = both;
    (with, without)
}

/// The gain of a frame, for passages at `rate` times the rate of the song, and the rate of the stems.
fn gain(at: usize, silent: &[Range<usize>], ratio: f64, rate: f64) -> f32 {
    let fade = (rate * 0.01).ceil() as usize;
    for range in silent.iter().filter(|&range| *range != TOO_SHORT) {
        let start = (range.start as f64 * ratio - 1e-6).ceil() as usize;
        let is_last = range.end == FRAMES;
        let end = if is_last { usize::MAX } else { (range.end as f64 * ratio + 1e-6) as usize };
        if (start..end).contains(&at) {
            let within = if start == 0 { usize::MAX } else { at - start }.min(end - 1 - at);
            let share = 1.0 - (within.min(fade) + 1) as f32 / (fade + 1) as f32;
            return if within >= fade { 0.0 } else { share };
        }
    }
    1.0
}

#[track_caller]
fn check(found: &Stereo, without: &Stereo, ratio: f64, rate: f64) {
    assert_eq!(found.len(), without.len());
    for (channel, silent) in SILENT.into_iter().enumerate() {
        let (found, without) = (found.planes()[channel], without.planes()[channel]);
        for (at, (found, without)) in found.iter().zip(without).enumerate() {
            let expected = without * gain(at, silent, ratio, rate);
            assert_eq!(*found, expected, "frame {at} of channel {channel}, {without} before");
        }
    }
}

#[test]
fn silent_passages_are_zero_in_the_stems_and_nothing_else_is_changed() {
    let exact = Settings { normalization: Normalization::Exact, ..Settings::default() };
    for settings in [Settings::default(), exact] {
        let (with, without) = with_and_without(HISSING, &settings, &wav(&song(), 44_100));
        check(&with, &without, 1.0, 44_100.0);
        assert!(with != without);
    }
}

#[test]
fn passages_are_those_of_the_upload_at_its_own_rate_and_that_of_the_model() {
    let upload = wav(&song(), 48_000);
    let (with, without) = with_and_without(HISSING, &Settings::default(), &upload);
    check(&with, &without, 44_100.0 / 48_000.0, 44_100.0);
    let settings = Settings { rate: OutputRate::Source, ..Settings::default() };
    let (with, without) = with_and_without(HISSING, &settings, &upload);
    check(&with, &without, 1.0, 48_000.0);
}

#[test]
fn a_silent_channel_stays_silent_however_short_the_song() {
    for frames in [700, FRAMES] {
        let left = (0..frames).map(|at| (at as f32 * 0.02).sin() * 0.5 + 0.1).collect();
        let upload = wav(&Stereo::from_planes(left, vec![0.0; frames]).unwrap(), 44_100);
        let (with, without) = with_and_without(HISSING, &Settings::default(), &upload);
        assert_eq!(with.right(), vec![0.0; frames]);
        assert_eq!(with.left(), without.left());
        assert!(without.right().iter().all(|&sample| sample != 0.0));
    }
}

#[test]
fn passages_stay_silent_while_another_engine_takes_over() {
    let fails = FakeEngine { fails: Some((4, Fault::Error)), ..HISSING };
    let upload = wav(&song(), 44_100);
    let (with, without) = with_and_without(fails, &Settings::default(), &upload);
    check(&with, &without, 1.0, 44_100.0);
}

/// Separates with a stop of the server after `commits` segments, when only the frames before `arrived` have, and calls
/// `change` with the directory before the restart.
fn interrupted(commits: u64, arrived: usize, change: impl Fn(&Path)) -> Stereo {
    let slow = FakeEngine { pause: Duration::from_millis(20), ..HISSING };
    let fixture = Fixture::new(slow);
    let upload = wav(&song(), 44_100);
    let part = upload.len() - (FRAMES - arrived) * 8;
    let separations = fixture.open();
    let (session, _) = separations.create(Settings::default()).unwrap();
    separations.add_bytes(&session, 0, &upload[..part]).unwrap();
    wait_for(|| session.manifest().commit.segments >= commits);
    assert!(separations.close(Instant::now() + Duration::from_secs(30)));
    change(session.layout().directory());
    let id = session.id();
    drop((session, separations));
    let separations = fixture.open();
    let session = separations.find(id).unwrap();
    separations.resume(&session).unwrap();
    for (index, piece) in upload[part..].chunks(50_000).enumerate() {
        separations.add_bytes(&session, (part + index * 50_000) as u64, piece).unwrap();
    }
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    stem(&finished(&separations, session), "bass")
}

#[test]
fn stops_within_passages_and_damaged_files_change_no_byte() {
    let upload = wav(&song(), 44_100);
    let fixture = Fixture::new(HISSING);
    let separations = fixture.open();
    let whole = finished(&separations, begin(&separations, Settings::default(), &upload));
    assert!(!whole.layout().silence().exists(), "it is removed with the track");
    let whole = stem(&whole, "bass");
    let nothing = |_: &Path| {};
    for (commits, arrived) in [(1, 61_000), (3, 110_000), (4, 135_000), (7, FRAMES - 10)] {
        assert!(interrupted(commits, arrived, nothing) == whole, "{commits} commits");
    }
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    };
    assert!(interrupted(3, 110_000, |folder| damage(&folder.join("silence"))) == whole);
    // Both at once: then all commits are taken back.
    let both = |folder: &Path| {
        damage(&folder.join("silence"));
        let stem = folder.join("stems/bass.wav.part");
        let file = fs::OpenOptions::new().write(true).open(stem).unwrap();
        file.set_len(50_000).unwrap();
    };
    assert!(interrupted(3, 110_000, both) == whole);
    assert!(
        interrupted(3, 110_000, |folder| fs::remove_file(folder.join("silence")).unwrap()) == whole
    );
}
