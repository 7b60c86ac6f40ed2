//! Ensembles: each stem from its models, the sum is the mixture, and a failure is that of the whole.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use stemwire::audio::{Frames, Stereo};
use stemwire::proto::reason::{ChangeReason, ErrorReason};
use stemwire::separation::Separations;
use stemwire::session::settings::Normalization;
use stemwire::session::{Session, SessionState, Settings};

use crate::support::compare::stereo_snr_db;
use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::golden::mixture;
use crate::support::pipeline::{begin, golden, read_wav, separate, stem, wait_for, wav};

const FOUR: &str = "drums bass other vocals";
const ENSEMBLE: &str = "vocals=a+b,rest=c";

/// Frames of a segment of the models a and b; c has shorter ones.
const SEGMENT: usize = 32_768;
const SHORTER: usize = 20_000;

const SONG: usize = 200_000;

fn settings(ensemble: &str) -> Settings {
    Settings { model: Some(ensemble.to_owned()), ..Settings::default() }
}

fn song() -> Stereo {
    mixture(&read_wav(&golden().join("clip.wav")), SONG, 1.0)
}

fn gain(gain: f32) -> FakeEngine {
    FakeEngine { gain, tilt: 0.0, ..FakeEngine::default() }
}

struct Fixture {
    folder: tempfile::TempDir,
    stage: TestEnvironment,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        fs::create_dir(&models).unwrap();
        let of = |name, segment| (name, FOUR, segment);
        cards(&models, &[of("a", SEGMENT), of("b", SEGMENT), of("c", SHORTER), of("d", SEGMENT)]);
        let gains = [("a", gain(0.5)), ("b", gain(0.25)), ("c", gain(0.125)), ("d", gain(1.0))];
        Fixture { folder, stage: TestEnvironment::new(&gains) }
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    fn open(&self) -> Separations {
        self.stage.separations(&self.folder.path().join("data"), &self.models(), &["d"])
    }
}

fn sum(session: &Session) -> Stereo {
    let mut sum = Stereo::zeros(SONG);
    for name in FOUR.split(' ') {
        for (sum, stem) in sum.planes_mut().into_iter().zip(stem(session, name).planes()) {
            sum.iter_mut().zip(stem).for_each(|(sum, sample)| *sum += sample);
        }
    }
    sum
}

fn furthest(found: &Stereo, expected: &Stereo, factor: f32) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.interleaved().zip(expected.interleaved());
    pairs.map(|(found, expected)| (found - factor * expected).abs()).fold(0.0, f32::max)
}

#[test]
fn each_stem_is_that_of_its_models_and_the_rest_is_other() {
    let place = Fixture::new();
    let session = separate(&place.open(), settings(ENSEMBLE), &wav(&song(), 44_100));
    // Each stem of the fake engines gets the mean of the track back, which is small.
    for (name, factor) in [("vocals", 0.375), ("drums", 0.125), ("bass", 0.125), ("other", 0.375)] {
        let distance = furthest(&stem(&session, name), &song(), factor);
        assert!(distance < 1e-2, "{name}: {distance}");
    }
    assert!(furthest(&sum(&session), &song(), 1.0) < 1e-5);
    let manifest = session.manifest();
    let names: Vec<_> = manifest.plan.stems.iter().map(ToString::to_string).collect();
    assert_eq!(
        (manifest.plan.model.as_str(), &names[..]),
        (ENSEMBLE, &["vocals", "drums", "bass", "other"].map(String::from)[..])
    );
    let engine = manifest.engine.as_ref().unwrap();
    let members: Vec<_> = engine.members.iter().map(|member| member.model.as_str()).collect();
    assert_eq!((engine.model.as_str(), members), (ENSEMBLE, vec!["a", "b", "c"]));
    assert!(engine.members.iter().all(|member| member.weights.len() == 64 && !member.verified));
    assert!(manifest.engine_changes.is_empty());
}

/// The model of the lead vocals sees the vocals, half of the song, and yields a quarter of them.
#[test]
fn vocals_are_split_into_lead_and_backing_vocals() {
    let place = Fixture::new();
    cards(&place.models(), &[("lead", "lead_vocals", SHORTER)]);
    place.stage.set("lead", gain(0.25));
    let separations = place.open();
    let ensemble = "vocals=a,lead_vocals=lead,rest=c";
    let session = separate(&separations, settings(ensemble), &wav(&song(), 44_100));
    let names: Vec<_> = session.manifest().plan.stems.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["backing_vocals", "lead_vocals", "drums", "bass", "other"]);
    for (name, factor) in
        [("lead_vocals", 0.125), ("backing_vocals", 0.375), ("drums", 0.125), ("other", 0.25)]
    {
        let distance = furthest(&stem(&session, name), &song(), factor);
        assert!(distance < 1e-2, "{name}: {distance}");
    }
    let wanted = |name: &str| Settings { stems: vec![name.parse().unwrap()], ..settings(ensemble) };
    let calls = place.stage.calls("c");
    for (name, factor) in [("vocals", 0.5), ("backing_vocals", 0.375), ("accompaniment", 0.5)] {
        let session = separate(&separations, wanted(name), &wav(&song(), 44_100));
        let distance = furthest(&stem(&session, name), &song(), factor);
        assert!(distance < 1e-2, "{name}: {distance}");
        assert_eq!(place.stage.calls("c") > calls, name == "accompaniment", "{name}");
    }
    let error = separations.create(settings("vocals=a,lead_vocals=lead,backing_vocals=lead"));
    assert!(error.unwrap_err().to_string().contains("does not yield backing_vocals"));
}

#[test]
fn only_the_models_of_wanted_stems_compute() {
    let place = Fixture::new();
    let separations = place.open();
    let wanted = |name: &str| Settings { stems: vec![name.parse().unwrap()], ..settings(ENSEMBLE) };
    let session = separate(&separations, wanted("drums"), &wav(&song(), 44_100));
    assert_eq!((place.stage.calls("a"), place.stage.calls("b")), (0, 0));
    let alone = stem(&session, "drums");
    let whole = separate(&separations, settings(ENSEMBLE), &wav(&song(), 44_100));
    assert_eq!(alone, stem(&whole, "drums"));
    let session = separate(&separations, wanted("accompaniment"), &wav(&song(), 44_100));
    assert!(furthest(&stem(&session, "accompaniment"), &song(), 0.625) < 1e-2);
}

#[test]
fn an_ensemble_that_is_continued_by_another_server_has_the_same_bytes() {
    let place = Fixture::new();
    let upload = wav(&song(), 44_100);
    let whole = {
        let session = separate(&place.open(), settings(ENSEMBLE), &upload);
        FOUR.split(' ').map(|name| stem(&session, name)).collect::<Vec<_>>()
    };
    let place = Fixture::new();
    place.stage.set("b", FakeEngine { fails: Some((3, Fault::Slow)), ..gain(0.25) });
    let separations = place.open();
    let session = begin(&separations, settings(ENSEMBLE), &upload);
    wait_for(|| session.manifest().commit.segments >= 3);
    assert!(separations.close(Instant::now() + Duration::from_secs(30)));
    drop(separations);
    place.stage.set("b", gain(0.25));
    let separations = place.open();
    let session = separations.find(session.id()).unwrap();
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Done);
    assert!(session.manifest().engine_changes.is_empty());
    for (name, whole) in FOUR.split(' ').zip(whole) {
        assert_eq!(stem(&session, name), whole, "{name}");
    }
}

#[test]
fn a_failing_member_is_followed_by_the_chain() {
    let place = Fixture::new();
    place.stage.set("b", FakeEngine { fails: Some((2, Fault::Error)), ..gain(0.25) });
    let session = separate(&place.open(), settings(ENSEMBLE), &wav(&song(), 44_100));
    let manifest = session.manifest();
    let [change] = &manifest.engine_changes[..] else { panic!("{:?}", manifest.engine_changes) };
    assert_eq!((change.from.model.as_str(), change.to.model.as_str()), (ENSEMBLE, "d"));
    assert_eq!((change.reason, change.frame > Frames::ZERO), (ChangeReason::EngineFailed, true));
    assert!(change.message.contains("model b"), "{}", change.message);
    assert_eq!(change.from.members.len(), 3);
    assert_eq!(stem(&session, "vocals").len(), SONG);

    let stubborn = Settings { allow_fallback: false, ..settings(ENSEMBLE) };
    let separations = place.open();
    let session = begin(&separations, stubborn, &wav(&song(), 44_100));
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Failed);
    assert_eq!(session.manifest().failure.as_ref().unwrap().reason, ErrorReason::EngineFailed);
}

#[test]
fn models_that_do_not_fit_are_refused_with_the_reason() {
    let place = Fixture::new();
    cards(&place.models(), &[("two", "vocals accompaniment", SEGMENT)]);
    let separations = place.open();
    let refused = |ensemble: &str| separations.create(settings(ensemble)).unwrap_err();
    for (ensemble, reason, part) in [
        (
            "drums=two",
            ErrorReason::ConfigInvalid,
            "two does not yield drums, but vocals, accompaniment",
        ),
        (
            "vocals=mini-spleeter",
            ErrorReason::ConfigInvalid,
            "the windows of mini-spleeter are summed",
        ),
        (
            "vocals=a,other=b",
            ErrorReason::ConfigInvalid,
            "what the other stems leave of the mixture",
        ),
        ("vocals=a,rest=missing", ErrorReason::ModelUnknown, "there is no model \"missing\""),
        ("vocals=a,rest=scnet", ErrorReason::ModelNotInstalled, "scnet is not installed"),
    ] {
        let error = refused(ensemble);
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// The song has an offset, and ends within a segment: members see padding as zeros, and the track without its offset.
#[test]
fn a_member_yields_what_it_does_alone() {
    let real = FakeEngine { real: true, ..FakeEngine::default() };
    let stage = TestEnvironment::new(&[("tiny", real), ("scnet-tiny", real), ("mini", real)]);
    let folder = tempfile::tempdir().unwrap();
    let separations = stage.separations(folder.path(), &golden(), &["tiny"]);
    let mut mix = mixture(&read_wav(&golden().join("clip.wav")), 120_000, 0.5);
    mix.planes_mut().into_iter().flatten().for_each(|sample| *sample += 0.05);
    let upload = wav(&mix, 44_100);
    for (ensemble, member) in [
        ("vocals=tiny,rest=scnet-tiny", "tiny"),
        ("vocals=tiny", "tiny"),
        ("vocals=scnet-tiny", "scnet-tiny"),
        ("vocals=mini", "mini"),
    ] {
        for normalization in [Normalization::Exact, Normalization::Streaming] {
            let vocals = |model: &str| {
                let stems = vec!["vocals".parse().unwrap()];
                let settings = Settings { normalization, stems, ..settings(model) };
                stem(&separate(&separations, settings, &upload), "vocals")
            };
            let (together, alone) = (vocals(ensemble), vocals(member));
            let snr = stereo_snr_db(&alone, &together);
            assert!(snr > 120.0, "{ensemble}, {normalization:?}: {snr:.1} dB");
        }
    }
}
