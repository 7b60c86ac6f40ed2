//! Digital silence: its segments are not computed, and its stems are silence.

use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use stemwire::audio::Stereo;
use stemwire::engine::{EngineOptions, Loader};
use stemwire::model::AvailableModels;
use stemwire::session::settings::Normalization;
use stemwire::session::{SessionState, Settings};

use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::pipeline::{runtime, separate, stem, wav};

const STEMS: &str = "drums bass other vocals";
const SEGMENT: usize = 32_768;
const STRIDE: usize = 24_576;
/// Thirteen segments, the last of them short.
const SONG: usize = 11 * STRIDE + SEGMENT;
/// The silent frames: all of segments 3 to 6, and half of each neighbour.
const SILENT: Range<usize> = 3 * STRIDE - STRIDE / 2..6 * STRIDE + SEGMENT + STRIDE / 2;

/// A tone on an offset, with a pause of digital silence.
fn song() -> Stereo {
    let sample =
        |at: usize| if SILENT.contains(&at) { 0.0 } else { (at as f32 * 0.01).sin() * 0.3 + 0.01 };
    let plane: Vec<f32> = (0..SONG).map(sample).collect();
    Stereo::from_planes(plane.clone(), plane).unwrap()
}

/// The engine calls for the song, and its bass.
fn separated(normalization: Normalization, audio: &Stereo) -> (usize, Stereo) {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    cards(&models, &[("a", STEMS, SEGMENT)]);
    let stage = TestEnvironment::new(&[("a", FakeEngine { tilt: 0.0, ..FakeEngine::default() })]);
    let separations = stage.separations(&folder.path().join("data"), &models, &["a"]);
    let settings = Settings { normalization, ..Settings::default() };
    let bass = stem(&separate(&separations, settings, &wav(audio, 44_100)), "bass");
    (stage.calls("a"), bass)
}

#[test]
fn segments_of_silence_reach_no_engine_and_are_silence() {
    let (calls, bass) = separated(Normalization::Streaming, &song());
    assert_eq!(calls, 13 - 4);
    assert_eq!(bass.len(), SONG);
    // No neighbour has a say there.
    let alone = 3 * STRIDE + SEGMENT - STRIDE..6 * STRIDE + STRIDE;
    assert!(bass.left()[alone].iter().all(|&sample| sample == 0.0));
    let (all, _) = separated(Normalization::Exact, &song());
    assert_eq!(all, 13, "exact is what the reference computes");
}

#[test]
fn a_song_of_silence_needs_no_engine_at_all() {
    let (calls, bass) = separated(Normalization::Streaming, &Stereo::zeros(SONG - 5000));
    assert_eq!(calls, 0);
    assert_eq!(bass, Stereo::zeros(SONG - 5000));
}

#[test]
fn one_sample_that_is_not_zero_is_no_silence() {
    let mut audio = Stereo::zeros(SONG);
    audio.planes_mut()[1][SONG / 2] = 1e-9;
    let (calls, _) = separated(Normalization::Streaming, &audio);
    assert!((1..=2).contains(&calls), "{calls}");
}

#[test]
fn a_pause_in_the_upload_and_a_restart_within_silence_change_no_byte() {
    let upload = wav(&song(), 44_100);
    let whole = separated(Normalization::Streaming, &song()).1;
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    cards(&models, &[("a", STEMS, SEGMENT)]);
    let stage = TestEnvironment::new(&[("a", FakeEngine { tilt: 0.0, ..FakeEngine::default() })]);
    let open = || stage.separations(&folder.path().join("data"), &models, &["a"]);
    let separations = open();
    let (session, _) = separations.create(Settings::default()).unwrap();
    // Two of the silent segments are whole, no later one.
    let part = upload.len() * (5 * STRIDE + SEGMENT - STRIDE + 2000) / SONG;
    separations.add_bytes(&session, 0, &upload[..part]).unwrap();
    let begun = Instant::now();
    while session.manifest().commit.segments < 4 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is committed");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(separations.close(Instant::now() + Duration::from_secs(30)));
    let committed = session.manifest().commit.segments;
    assert!((4..=5).contains(&committed), "{committed}");
    drop(separations);
    let separations = open();
    let session = separations.find(session.id()).unwrap();
    separations.resume(&session).unwrap();
    separations.add_bytes(&session, part as u64, &upload[part..]).unwrap();
    separations.finish_upload(&session, upload.len() as u64, None).unwrap();
    assert_eq!(separations.wait(&session, Duration::from_secs(60)), SessionState::Done);
    assert_eq!(stem(&session, "bass"), whole);
    assert_eq!(stage.calls("a"), 13 - 4);
}

/// Level of the built-in networks' output for silence: inaudible, but not zero.
#[test]
fn stems_of_silence_are_noise_far_below_the_music() {
    let available = AvailableModels::open(None);
    // The second does not want the track's offset taken away, nor a gain.
    for (name, gain, offsets, most) in
        [("mini", 512.0_f32, &[0.0_f32, 0.001][..], -60.0), ("mini-spleeter", 1.0, &[0.0], -120.0)]
    {
        let model = available.find(name).unwrap();
        let frames = model.card().segment.as_len();
        let mut engine = runtime().load(&model, 2).unwrap();
        for &offset in offsets {
            let shown = vec![-offset * gain; frames];
            let mix = Stereo::from_planes(shown.clone(), shown).unwrap();
            let stems = engine.separate(&mix, &EngineOptions::all(model.card())).unwrap();
            let mut loudest = 0.0_f32;
            let shares = model.card().residual_shares.iter().chain(std::iter::repeat(&1.0));
            for (stem, share) in stems.iter().zip(shares) {
                for sample in stem.planes().into_iter().flatten() {
                    loudest = loudest.max((sample / gain + share * offset).abs());
                }
            }
            let decibels = 20.0 * loudest.log10();
            println!("{name}, offset {offset}: {decibels:.1} dBFS");
            assert!(decibels < most, "{name} makes {decibels} dBFS of an offset of {offset}");
        }
    }
}
