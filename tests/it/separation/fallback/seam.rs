//! Where one engine follows another, the stems have no step, and nothing is lost.

use std::fs;
use std::path::Path;

use stemwire::audio::{Frames, Stereo};
use stemwire::session::Settings;
use stemwire::session::settings::Normalization;

use super::{FOUR, Fixture, SEGMENT, SONG, fails, furthest, song, undisturbed};
use crate::support::environment::{FakeEngine, Fault, cards};
use crate::support::pipeline::{separate, stem, wav};

/// Largest difference between consecutive frames of the song.
const STEEPEST: f32 = 0.004;

fn steepest(stem: &Stereo) -> f32 {
    let steps = stem
        .planes()
        .map(|plane| plane.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max));
    steps[0].max(steps[1])
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
