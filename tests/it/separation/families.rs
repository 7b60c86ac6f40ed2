//! An engine of one family is replaced by one of another: each computes its part as it would alone.

use stemwire::audio::Stereo;
use stemwire::proto::reason::ChangeReason;
use stemwire::session::settings::OutputRate;
use stemwire::session::{Session, Settings};

use crate::support::compare::stereo_snr_db;
use crate::support::environment::{FakeEngine, Fault, TestEnvironment};
use crate::support::golden::mixture;
use crate::support::pipeline::{golden, read_wav, separate, stem, wav};

const STEMS: [&str; 4] = ["drums", "bass", "other", "vocals"];

/// More than two segments of each engine.
const SONG: usize = 800_000;

/// Frames for the first engine alone.
const START: usize = 300_000;

/// Frames over which the first engine fades out: at most a segment of it.
const FADE: usize = 65_000;

/// Least agreement of the second engine's part with the same engine alone, in dB. In streaming it is normalised by the mean of
/// the track so far, which is another where the track begins later.
const LEAST_SNR: f64 = 40.0;

/// Separates with these engines, of which the first fails from its call `at` on.
fn separated(
    engines: &[&str],
    at: usize,
    song: &Stereo,
    rate: u32,
    settings: Settings,
) -> Separated {
    let real = FakeEngine { real: true, ..FakeEngine::default() };
    let failing = FakeEngine { fails: Some((at, Fault::Error)), ..real };
    let scripts: Vec<_> = engines.iter().map(|&name| (name, real)).collect();
    let stage = TestEnvironment::new(&scripts);
    stage.set(engines[0], failing);
    let folder = tempfile::tempdir().unwrap();
    let session = {
        let separations = stage.separations(folder.path(), &golden(), engines);
        separate(&separations, settings, &wav(song, rate))
    };
    Separated { stems: STEMS.map(|name| stem(&session, name)), session, _folder: folder }
}

struct Separated {
    stems: [Stereo; 4],
    session: std::sync::Arc<Session>,
    _folder: tempfile::TempDir,
}

#[track_caller]
fn check(first: &str, second: &str) {
    let song = mixture(&read_wav(&golden().join("clip.wav")), SONG, 1.0);
    let never = usize::MAX;
    let both = separated(&[first, second], 2, &song, 44_100, Settings::default());
    let manifest = both.session.manifest();
    let [change] = &manifest.engine_changes[..] else { panic!("{:?}", manifest.engine_changes) };
    assert_eq!((change.from.model.as_str(), change.to.model.as_str()), (first, second));
    assert_eq!(change.reason, ChangeReason::EngineFailed);
    let at = change.frame.as_len();
    let before = separated(&[first], never, &song.slice(0..START), 44_100, Settings::default());
    let rest = song.slice(at..SONG);
    let after = separated(&[second], never, &rest, 44_100, Settings::default());
    for (index, name) in STEMS.iter().enumerate() {
        let found = &both.stems[index];
        assert_eq!(found.len(), SONG, "{name}: frames were lost or doubled");
        assert_eq!(found.slice(0..at), before.stems[index].slice(0..at), "{name}");
        let alone = after.stems[index].slice(FADE..rest.len());
        let snr = stereo_snr_db(&alone, &found.slice(at + FADE..SONG));
        println!("{first} to {second}, {name}: {snr:.1} dB");
        assert!(snr >= LEAST_SNR, "{first} to {second}, {name}: {snr:.1} dB");
    }
}

#[test]
fn scnet_is_followed_by_htdemucs_and_spleeter_as_they_are_alone() {
    check("scnet-tiny", "tiny");
    check("scnet-tiny", "spleeter-tiny-4stems");
}

#[test]
fn another_family_keeps_the_rate_and_the_names_of_the_stems() {
    let song = mixture(&read_wav(&golden().join("clip.wav")), 120_000, 1.0);
    let settings = Settings {
        stems: vec!["no_vocals".parse().unwrap(), "drums".parse().unwrap()],
        rate: OutputRate::Source,
        ..Settings::default()
    };
    let stage = TestEnvironment::new(&[
        ("scnet-tiny", FakeEngine { fails: Some((1, Fault::NotFinite)), ..FakeEngine::default() }),
        ("spleeter-tiny-4stems", FakeEngine::default()),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let engines = ["scnet-tiny", "spleeter-tiny-4stems"];
    let separations = stage.separations(folder.path(), &golden(), &engines);
    let session = separate(&separations, settings, &wav(&song, 32_000));
    let manifest = session.manifest();
    assert_eq!(manifest.engine_changes.len(), 1);
    assert_eq!(manifest.engine_span().shape(), "columns");
    assert_eq!(manifest.source.as_ref().unwrap().output_rate.0, 32_000);
    let names: Vec<_> = manifest.stems.iter().map(|stem| stem.name.to_string()).collect();
    assert_eq!(names, ["no_vocals", "drums"]);
    for name in names {
        assert_eq!(stem(&session, &name).len(), 120_000, "{name}");
    }
}
