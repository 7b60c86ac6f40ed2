//! A failing engine is replaced by the next one, and the stems differ only where the change is reported.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::{Frames, Stereo};
use stemwire::engine::fallback::circuit_breaker::CircuitState;
use stemwire::proto::reason::{ChangeReason, ErrorReason};
use stemwire::separation::Separations;
use stemwire::session::settings::Normalization;
use stemwire::session::{Session, SessionState, Settings};

use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{begin, separate, stem, wav};

const FOUR: &str = "drums bass other vocals";

/// Segment length and stride of the models in these tests, in frames.
const SEGMENT: usize = 32_768;
const STRIDE: u64 = 24_576;

/// Length of the song: ten segments, the last of them short.
const SONG: usize = 9 * STRIDE as usize + 10_000;

/// Time limit of an engine that hangs.
const HANGS: Duration = Duration::from_secs(1);

/// Largest difference between consecutive frames of the song.
const STEEPEST: f32 = 0.004;

/// A calm song.
fn song(frames: usize) -> Stereo {
    let sample = |at: usize| (at as f32 * 0.005).sin() * 0.4 + (at as f32 * 0.011).cos() * 0.15;
    let left: Vec<f32> = (0..frames).map(sample).collect();
    Stereo::from_planes(left.clone(), left.iter().map(|sample| sample * 0.5).collect()).unwrap()
}

/// Data, models and engines of one test.
struct Fixture {
    folder: tempfile::TempDir,
    stage: TestEnvironment,
}

impl Fixture {
    fn new(scripts: &[(&str, FakeEngine)]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        Fixture { folder, stage: TestEnvironment::new(scripts) }
    }

    /// Models `a` and `b` with the same stems and segments.
    fn of_two(a: FakeEngine, b: FakeEngine) -> Fixture {
        let place = Fixture::new(&[("a", a), ("b", b)]);
        cards(&place.models(), &[("a", FOUR, SEGMENT), ("b", FOUR, SEGMENT)]);
        place
    }

    fn models(&self) -> std::path::PathBuf {
        self.folder.path().join("models")
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn open(&self, engines: &[&str]) -> Separations {
        self.stage.separations(&self.data(), &self.models(), engines)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stage.release();
    }
}

fn fails(at: usize, fault: Fault) -> FakeEngine {
    FakeEngine { fails: Some((at, fault)), ..FakeEngine::default() }
}

/// The stem of an undisturbed run.
fn undisturbed(script: FakeEngine, settings: Settings, frames: usize) -> Stereo {
    let place = Fixture::of_two(script, FakeEngine::default());
    let separations = place.open(&["a"]);
    stem(&separate(&separations, settings, &wav(&song(frames), 44_100)), "bass")
}

fn furthest(found: &Stereo, expected: &Stereo) -> f32 {
    assert_eq!(found.len(), expected.len(), "frames were lost or doubled");
    let pairs = found.interleaved().zip(expected.interleaved());
    pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
}

fn steepest(stem: &Stereo) -> f32 {
    let steps = stem
        .planes()
        .map(|plane| plane.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max));
    steps[0].max(steps[1])
}

#[track_caller]
fn check_takeover(at: usize, fault: Fault, reason: ChangeReason) {
    let mut place = Fixture::of_two(fails(at, fault), FakeEngine::default());
    if let Fault::Slow | Fault::Hang = fault {
        place.stage = place.stage.clone().with_time_limit(HANGS);
    }
    let separations = place.open(&["a", "b"]);
    let session = separate(&separations, Settings::default(), &wav(&song(SONG), 44_100));
    let manifest = session.manifest();
    let [change] = &manifest.engine_changes[..] else { panic!("{:?}", manifest.engine_changes) };
    assert_eq!((change.from.model.as_str(), change.to.model.as_str()), ("a", "b"));
    assert_eq!((change.reason, change.frame), (reason, Frames(at as u64 * STRIDE)));
    assert_eq!(manifest.engine.as_ref().unwrap().model, "b");
    assert!(change.message.contains("model a"), "{}", change.message);
    let whole = undisturbed(FakeEngine::default(), Settings::default(), SONG);
    assert!(furthest(&stem(&session, "bass"), &whole) < 1e-6);
}

#[test]
fn the_same_engine_again_leaves_no_trace_wherever_the_first_fails() {
    for at in [0, 5, 9] {
        check_takeover(at, Fault::Error, ChangeReason::EngineFailed);
    }
}

#[test]
fn each_kind_of_error_switches_the_engine_with_its_reason() {
    check_takeover(4, Fault::NotFinite, ChangeReason::EngineNotFinite);
    check_takeover(4, Fault::Panic, ChangeReason::EnginePanicked);
    check_takeover(0, Fault::Load, ChangeReason::ModelUnavailable);
}

#[test]
fn an_engine_beyond_its_time_limit_is_stopped_or_abandoned() {
    check_takeover(4, Fault::Slow, ChangeReason::EngineTimeout);
    check_takeover(4, Fault::Hang, ChangeReason::EngineTimeout);
}

#[test]
fn one_failure_is_only_tried_again() {
    let once = FakeEngine { times: 1, ..fails(4, Fault::Error) };
    let place = Fixture::of_two(once, FakeEngine::default());
    let separations = place.open(&["a", "b"]);
    let session = separate(&separations, Settings::default(), &wav(&song(SONG), 44_100));
    assert!(session.manifest().engine_changes.is_empty());
    assert_eq!(place.stage.calls("b"), 0);
    let whole = undisturbed(FakeEngine::default(), Settings::default(), SONG);
    assert_eq!(stem(&session, "bass"), whole);
}

#[track_caller]
fn check_seam(at: usize, settings: Settings, segment: usize) {
    let quiet = FakeEngine { gain: 0.5, ..FakeEngine::default() };
    let place = Fixture::new(&[("a", fails(at, Fault::Error)), ("b", quiet)]);
    cards(&place.models(), &[("a", FOUR, SEGMENT), ("b", FOUR, segment)]);
    let separations = place.open(&["a", "b"]);
    let session = separate(&separations, settings.clone(), &wav(&song(SONG), 44_100));
    let found = stem(&session, "bass");
    assert_eq!(found.len(), SONG);
    let before = steepest(&undisturbed(FakeEngine::default(), settings, SONG));
    assert!(steepest(&found) < before + 1e-4, "{} instead of {before}", steepest(&found));
    let frame = session.manifest().engine_changes[0].frame.as_len();
    let power = |range: std::ops::Range<usize>| -> f32 {
        found.left()[range].iter().map(|sample| sample * sample).sum::<f32>().sqrt()
    };
    if at > 0 {
        assert!(power(frame - 8000..frame) > 1.5 * power(frame + 10_000..frame + 18_000));
    }
}

#[test]
fn different_engines_leave_no_step_at_the_seam() {
    assert!(STEEPEST > steepest(&song(SONG)));
    for at in [1, 5, 8] {
        check_seam(at, Settings::default(), SEGMENT);
    }
    check_seam(5, Settings::default(), 20_000);
    check_seam(5, Settings::default(), 70_001);
    let exact = Settings { normalization: Normalization::Exact, ..Settings::default() };
    check_seam(5, exact, SEGMENT);
}

#[test]
fn even_without_an_overlap_a_tenth_of_a_second_fades() {
    let cut = Settings { overlap: Some(0.0), ..Settings::default() };
    let quiet = FakeEngine { gain: 0.5, ..FakeEngine::default() };
    let place = Fixture::of_two(fails(3, Fault::Error), quiet);
    let separations = place.open(&["a", "b"]);
    let session = separate(&separations, cut, &wav(&song(SONG), 44_100));
    let frame = session.manifest().engine_changes[0].frame;
    assert_eq!(frame, Frames(3 * SEGMENT as u64 - 4410));
    let found = stem(&session, "bass");
    assert_eq!(found.len(), SONG);
    // These engines make a step at the end of each segment; there is none where they change.
    let around = found.slice(frame.as_len() - 100..frame.as_len() + 4410 + 100);
    assert!(steepest(&around) < STEEPEST, "{}", steepest(&around));
}

#[test]
fn the_real_engine_again_leaves_no_trace() {
    let real = FakeEngine { real: true, ..FakeEngine::default() };
    let place = Fixture::new(&[("a", real), ("mini", real)]);
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mini");
    let copy = place.models().join("a");
    fs::create_dir(&copy).unwrap();
    // Beside them lies the crate that embeds them.
    for name in ["card.toml", "graph.onnx", "weights.safetensors"] {
        fs::copy(mini.join(name), copy.join(name)).unwrap();
    }
    let card = fs::read_to_string(copy.join("card.toml")).unwrap();
    fs::write(copy.join("card.toml"), card.replace("\"mini\"", "\"a\"")).unwrap();
    let upload = wav(&song(11 * 44_100 + 77), 44_100);
    let separations = place.open(&["a", "mini"]);
    let whole = separate(&separations, Settings::default(), &upload);
    place.stage.set("a", FakeEngine { fails: Some((2, Fault::Error)), ..real });
    let session = separate(&separations, Settings::default(), &upload);
    assert_eq!(session.manifest().engine_changes.len(), 1);
    assert!(place.stage.calls("mini") > 0);
    for name in ["drums", "bass", "other", "vocals"] {
        let distance = furthest(&stem(&session, name), &stem(&whole, name));
        assert!(distance < 1e-5, "{name}: {distance}");
    }
}

/// Replaces an engine by one with other segments. The stems of both sum to the song, so those of the two together must,
/// also during the fade.
#[track_caller]
fn check_pair(first: &str, second: &str, at: usize) {
    let quarter = FakeEngine { gain: 0.25, tilt: 0.0, ..FakeEngine::default() };
    let script = |name: &str| FakeEngine { real: name != "a", ..quarter };
    let failing = FakeEngine { fails: Some((at, Fault::Error)), ..script(first) };
    let place = Fixture::new(&[(first, failing), (second, script(second))]);
    cards(&place.models(), &[("a", FOUR, SEGMENT)]);
    let separations = place.open(&[first, second]);
    let song = song(14 * 44_100 + 77);
    let session = separate(&separations, Settings::default(), &wav(&song, 44_100));
    let change = &session.manifest().engine_changes[0];
    assert_eq!((change.from.model.as_str(), change.to.model.as_str()), (first, second));
    assert!(change.frame > Frames::ZERO && change.frame < song.frames());
    let mut sum = Stereo::zeros(song.len());
    for name in FOUR.split(' ') {
        let stem = stem(&session, name);
        assert_eq!(stem.len(), song.len());
        for (sum, stem) in sum.planes_mut().into_iter().zip(stem.planes()) {
            sum.iter_mut().zip(stem).for_each(|(sum, sample)| *sum += sample);
        }
    }
    // The masks lose a little near silence, and each of four stems gets the song's offset back; a seam that is out of
    // tune would lose a tenth.
    assert!(furthest(&sum, &song) < 1e-2, "{}", furthest(&sum, &song));
}

#[test]
fn windows_that_are_summed_follow_those_that_are_averaged_and_the_other_way_round() {
    check_pair("a", "mini-spleeter", 7);
    check_pair("mini-spleeter", "a", 1);
}

#[track_caller]
fn check_failure(place: &Fixture, engines: &[&str], settings: Settings, reason: ErrorReason) {
    let separations = place.open(engines);
    let session = begin(&separations, settings, &wav(&song(SONG), 44_100));
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Failed);
    let manifest = session.manifest();
    let failure = manifest.failure.as_ref().unwrap();
    assert_eq!(failure.reason, reason, "{failure}");
    assert!(failure.message.contains("model "), "{failure}");
    assert!(failure.remedy().ends_with('.') && !failure.message.ends_with('.'), "{failure}");
    // What it has, it keeps.
    assert_eq!(manifest.commit.stems, Frames(4 * STRIDE));
    let kept = fs::metadata(session.layout().growing_stem(&"bass".parse().unwrap())).unwrap();
    assert!(kept.len() >= 8 * 4 * STRIDE);
}

#[test]
fn without_another_engine_the_session_fails_and_keeps_its_frames() {
    let both = Fixture::of_two(fails(4, Fault::Error), fails(0, Fault::Panic));
    check_failure(&both, &["a", "b"], Settings::default(), ErrorReason::EngineFailed);
    assert!(both.stage.calls("b") >= 2, "it was tried again");

    let alone = Fixture::of_two(fails(4, Fault::Error), FakeEngine::default());
    check_failure(&alone, &["a"], Settings::default(), ErrorReason::EngineFailed);

    let forbidden = Fixture::of_two(fails(4, Fault::Error), FakeEngine::default());
    let settings = Settings { allow_fallback: false, ..Settings::default() };
    check_failure(&forbidden, &["a", "b"], settings, ErrorReason::EngineFailed);
    assert_eq!(forbidden.stage.calls("b"), 0);
}

#[test]
fn an_engine_that_lacks_a_wanted_stem_does_not_take_over() {
    let place = Fixture::new(&[("a", fails(4, Fault::Error))]);
    let models = [("a", FOUR, SEGMENT), ("two", "vocals accompaniment", SEGMENT)];
    cards(&place.models(), &models);
    check_failure(&place, &["a", "two"], Settings::default(), ErrorReason::NoFallbackForStem);
    assert_eq!(place.stage.calls("two"), 0);

    // It does where what is wanted is what it has.
    let stems = vec!["vocals".parse().unwrap(), "accompaniment".parse().unwrap()];
    place.stage.set("a", fails(4, Fault::Error));
    let separations = place.open(&["a", "two"]);
    let settings = Settings { stems, ..Settings::default() };
    let session = separate(&separations, settings, &wav(&song(SONG), 44_100));
    assert_eq!(session.manifest().engine.as_ref().unwrap().model, "two");
}

#[test]
fn a_session_that_names_a_model_may_fall_back_too() {
    let place = Fixture::of_two(FakeEngine::default(), fails(4, Fault::Error));
    let separations = place.open(&["a", "b"]);
    let settings = Settings { model: Some("b".into()), ..Settings::default() };
    let session = separate(&separations, settings, &wav(&song(SONG), 44_100));
    assert_eq!(session.manifest().engine.as_ref().unwrap().model, "a");
}

/// Waits until a condition holds in another thread.
#[track_caller]
fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn again(separations: &Separations, session: &Arc<Session>) -> Arc<Session> {
    separations.find(session.id()).unwrap()
}

/// Stops the server after each of these numbers of committed segments and continues with another one.
#[track_caller]
fn check_restarts(moments: &[u64]) {
    let quiet = FakeEngine { gain: 0.5, ..FakeEngine::default() };
    let upload = wav(&song(SONG), 44_100);
    let whole = {
        let place = Fixture::of_two(fails(3, Fault::Error), quiet);
        let separations = place.open(&["a", "b"]);
        stem(&separate(&separations, Settings::default(), &upload), "bass")
    };
    let place = Fixture::of_two(fails(3, Fault::Error), quiet);
    // It goes no further until the server ends.
    let stops_after = |segments: u64| {
        place.stage.set("b", FakeEngine { fails: Some((segments as usize, Fault::Slow)), ..quiet });
    };
    stops_after(moments[0] - 3);
    let mut separations = place.open(&["a", "b"]);
    let mut session = begin(&separations, Settings::default(), &upload);
    for (index, &moment) in moments.iter().enumerate() {
        wait_for("a commit", || {
            let manifest = session.manifest();
            manifest.commit.segments >= moment && !manifest.engine_changes.is_empty()
        });
        assert!(separations.close(Instant::now() + Duration::from_secs(30)));
        drop(separations);
        assert_eq!(session.manifest().commit.segments, moment);
        match moments.get(index + 1) {
            Some(next) => stops_after(next - moment),
            None => place.stage.set("b", quiet),
        }
        separations = place.open(&["a", "b"]);
        session = again(&separations, &session);
    }
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Done);
    assert_eq!(session.manifest().engine_changes.len(), 1);
    assert_eq!(stem(&session, "bass"), whole);
}

#[test]
fn a_restart_after_the_takeover_gives_the_same_bytes() {
    // Right after it, when the new engine has committed nothing; and later.
    check_restarts(&[3]);
    check_restarts(&[4, 5]);
}

#[test]
fn an_engine_that_fails_again_and_again_is_left_out_until_it_works() {
    let place = Fixture::of_two(fails(0, Fault::Error), FakeEngine::default());
    let separations = place.open(&["a", "b"]);
    let upload = wav(&song(SONG), 44_100);
    let breakers = separations.chain().circuit_breakers();
    for failures in [2, 4] {
        let session = separate(&separations, Settings::default(), &upload);
        assert_eq!(session.manifest().engine_changes[0].reason, ChangeReason::EngineFailed);
        assert!(breakers.health("a").failures >= failures);
    }
    assert_ne!(breakers.health("a").circuit, CircuitState::Closed);
    for model in [None, Some("a".to_owned())] {
        let session = separate(&separations, Settings { model, ..Settings::default() }, &upload);
        let manifest = session.manifest();
        assert_eq!(manifest.plan.model, "b");
        let [change] = &manifest.engine_changes[..] else { panic!() };
        assert_eq!((change.reason, change.frame), (ChangeReason::BreakerOpen, Frames::ZERO));
        assert_eq!((change.from.model.as_str(), change.to.model.as_str()), ("a", "b"));
    }
    let stubborn =
        Settings { model: Some("a".into()), allow_fallback: false, ..Settings::default() };
    let refused = separations.create(stubborn).unwrap_err().to_string();
    assert!(refused.contains("model a"), "{refused}");

    place.stage.set("a", FakeEngine::default());
    wait_for("a probe", || breakers.is_closed("a"));
    let session = separate(&separations, Settings::default(), &upload);
    assert_eq!(session.manifest().plan.model, "a");
    assert!(session.manifest().engine_changes.is_empty());
}

#[test]
fn nothing_waits_for_an_engine_that_hangs() {
    let mut place = Fixture::of_two(fails(2, Fault::Hang), FakeEngine::default());
    place.stage = place.stage.clone().with_time_limit(HANGS);
    let separations = place.open(&["a"]);
    let session = begin(&separations, Settings::default(), &wav(&song(SONG), 44_100));
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Failed);
    // Other sessions have a worker.
    let settings = Settings { model: Some("b".into()), ..Settings::default() };
    separate(&separations, settings, &wav(&song(SONG), 44_100));
    // And one that hangs now does not keep the server from ending.
    place.stage.set("b", fails(0, Fault::Hang));
    let settings = Settings { model: Some("b".into()), ..Settings::default() };
    let session = begin(&separations, settings, &wav(&song(SONG), 44_100));
    wait_for("a call", || place.stage.calls("b") > 0);
    let begun = Instant::now();
    drop(separations);
    // Half of what sessions have to leave their places.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(!session.state().is_ended());
}
