//! A failing engine is replaced by the next one, and the stems differ only where the change is reported.

mod failing_again;
mod no_successor;
mod seam;
mod takeover;

use std::fs;
use std::time::Duration;

use stemwire::audio::Stereo;
use stemwire::separation::Separations;
use stemwire::session::Settings;

use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{separate, stem, wav};

const FOUR: &str = "drums bass other vocals";

/// Segment length and stride of the models in these tests, in frames.
const SEGMENT: usize = 32_768;
const STRIDE: u64 = 24_576;

/// Length of the song: ten segments, the last of them short.
const SONG: usize = 9 * STRIDE as usize + 10_000;

/// Time limit of an engine that hangs.
const HANGS: Duration = Duration::from_secs(1);

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

/// The largest difference between two stems.
fn furthest(found: &Stereo, expected: &Stereo) -> f32 {
    assert_eq!(found.len(), expected.len(), "frames were lost or doubled");
    let pairs = found.interleaved().zip(expected.interleaved());
    pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
}
