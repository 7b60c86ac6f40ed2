//! Damaged frames are computed again from the first damaged segment on, with the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use stemwire::audio::{Frames, Stereo};
use stemwire::separation::Separations;
use stemwire::session::checksums::BLOCK_BYTES;
use stemwire::session::live::FoundDamage;
use stemwire::session::settings::OutputRate;
use stemwire::session::stem_reader::{StemFormat, StemReader};
use stemwire::session::{Session, SessionState, Settings};

use super::crashes::PATIENCE;
use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::{begin, separate, wait_for, wav};

const FOUR: &str = "drums bass other vocals";

/// Segments of this many frames begin every three quarters of it.
const SEGMENT: usize = 32_768;

/// Nine segments, and six blocks of checksums with a rest.
const FRAMES: usize = 200_000;

/// The segments of the song.
const SEGMENTS: usize = 9;

/// A song that becomes louder, so that each segment is normalised in its own way, with a silent passage.
fn song(rate: u32) -> Vec<u8> {
    let sample = |at: usize| (at as f32 * 0.01).sin() * 0.9 * at as f32 / FRAMES as f32 + 0.05;
    let left =
        (0..FRAMES).map(|at| if (150_000..160_000).contains(&at) { 0.0 } else { sample(at) });
    let left: Vec<f32> = left.collect();
    let right = left.iter().map(|sample| sample * 0.5).collect();
    wav(&Stereo::from_planes(left, right).unwrap(), rate)
}

struct Fixture {
    environment: TestEnvironment,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(a: FakeEngine) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        cards(&folder.path().join("models"), &[("a", FOUR, SEGMENT), ("b", FOUR, SEGMENT)]);
        let b = FakeEngine { gain: 0.7, ..FakeEngine::default() };
        Fixture { environment: TestEnvironment::new(&[("a", a), ("b", b)]), folder }
    }

    fn open(&self) -> Separations {
        self.open_with(&["a", "b"])
    }

    fn open_with(&self, engines: &[&str]) -> Separations {
        let path = |name: &str| self.folder.path().join(name);
        self.environment.separations(&path("data"), &path("models"), engines)
    }

    /// Sets how an engine behaves from its next call on, and counts its calls from there.
    fn set(&self, model: &str, fails: Option<(usize, Fault)>) {
        let gain = if model == "b" { 0.7 } else { 1.0 };
        self.environment.set(model, FakeEngine { gain, fails, ..FakeEngine::default() });
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.environment.release();
    }
}

/// The files of the stems, by their names.
fn stems(session: &Session) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(session.layout().stems()).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path.file_name().unwrap().into(), bytes)
    };
    paths.into_iter().map(read).collect()
}

/// Flips a bit in this block of a stem.
fn flip(path: &Path, block: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[block * BLOCK_BYTES + 10_000] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// Reads all of a stem.
fn read(session: &Arc<Session>, stem: &str) -> std::io::Result<()> {
    let mut reader = StemReader::open(session, stem, Frames::ZERO, StemFormat::STORED).unwrap();
    while reader.read(Frames(50_000))?.frames > Frames::ZERO {}
    Ok(())
}

#[track_caller]
fn check_done(separations: &Separations, session: &Arc<Session>, expected: &[(PathBuf, Vec<u8>)]) {
    let state = separations.wait(session, PATIENCE);
    assert_eq!(state, SessionState::Done, "{:?}", session.manifest().failure);
    for ((name, bytes), (expected_name, expected)) in stems(session).iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert!(bytes == expected, "{} differs", name.display());
    }
}

#[test]
fn a_finished_stem_is_computed_again_from_its_first_damaged_segment_on() {
    // Block of the damage -> segments that are computed again. A segment fades into the next, which is computed again
    // with it; the resampler needs two blocks of its own. At 48 kHz the song has one segment less.
    let at_the_rate_of_the_model = [(3, 6), (0, SEGMENTS)];
    let at_another_rate = [(5, 3), (1, SEGMENTS - 1)];
    let source = Settings { rate: OutputRate::Source, ..Settings::default() };
    for (settings, rate, cases) in [
        (Settings::default(), 44_100, &at_the_rate_of_the_model[..]),
        (source, 48_000, &at_another_rate[..]),
    ] {
        let fixture = Fixture::new(FakeEngine::default());
        let separations = fixture.open();
        let session = separate(&separations, settings, &song(rate));
        let (expected, hashes) = (stems(&session), session.manifest().stems.clone());
        for &(block, computed) in cases {
            flip(&session.layout().stem(&"bass".parse().unwrap()), block);
            let before = session.manifest().recomputed;
            fixture.set("a", None);
            assert!(read(&session, "bass").is_err());
            wait_for(|| session.manifest().recomputed > before);
            check_done(&separations, &session, &expected);
            assert_eq!(session.manifest().stems, hashes);
            assert_eq!(fixture.environment.calls("a"), computed, "block {block} at {rate} Hz");
        }
    }
}

/// A session that has been stopped after `segments` segments.
fn stopped(fixture: &Fixture, stops: (&str, usize), segments: u64) -> Arc<Session> {
    let separations = fixture.open();
    let (model, call) = stops;
    fixture.set(model, Some((call, Fault::Slow)));
    let session = begin(&separations, Settings::default(), &song(44_100));
    wait_for(|| session.manifest().commit.segments == segments);
    separations.close(Instant::now() + PATIENCE);
    session
}

#[test]
fn a_session_continues_with_its_first_damaged_segment_after_a_restart_also_one_amid_it() {
    let fixture = Fixture::new(FakeEngine::default());
    let expected = stems(&separate(&fixture.open(), Settings::default(), &song(44_100)));
    let growing = |session: &Session| session.layout().growing_stem(&"vocals".parse().unwrap());
    let overlap_state = |session: &Session| session.layout().overlap_state(7);
    type Damage<'a> = &'a dyn Fn(&Session);
    let damages: [(Damage, usize, bool); 3] = [
        (&|session| flip(&growing(session), 3), 6, true),
        (&|session| flip(&overlap_state(session), 0), 3, false),
        (&|session| fs::remove_file(overlap_state(session)).unwrap(), 3, true),
    ];
    for (damage, computed, is_killed) in damages {
        let session = stopped(&fixture, ("a", 7), 7);
        damage(&session);
        let mut before = 0;
        if is_killed {
            fixture.set("a", Some((1, Fault::Slow)));
            let separations = fixture.open();
            let session = separations.find(session.id()).unwrap();
            wait_for(|| {
                let manifest = session.manifest();
                let committed = manifest.commit.segments as usize;
                (manifest.recomputed, committed) == (1, SEGMENTS - computed + 1)
            });
            separations.close(Instant::now() + PATIENCE);
            before = 1;
        }
        fixture.set("a", None);
        let separations = fixture.open();
        let session = separations.find(session.id()).unwrap();
        check_done(&separations, &session, &expected);
        assert_eq!(session.manifest().recomputed, 1);
        assert_eq!(fixture.environment.calls("a") + before, computed);
    }
}

/// A fixture whose engine `a` fails from its segment 4 on, and a session that `b` has completed.
fn of_two_engines() -> (Fixture, Arc<Session>) {
    let fails = Some((4, Fault::Error));
    let fixture = Fixture::new(FakeEngine { fails, ..FakeEngine::default() });
    let session = separate(&fixture.open(), Settings::default(), &song(44_100));
    let manifest = session.manifest();
    assert_eq!((manifest.engine_changes.len(), manifest.engine_spans[0].first), (1, 4));
    (fixture, session)
}

#[test]
fn a_finished_stem_of_two_engines_is_computed_again_by_both_each_in_its_span() {
    let (fixture, session) = of_two_engines();
    let (expected, before) = (stems(&session), session.manifest());
    let bass = session.layout().stem(&"bass".parse().unwrap());
    // Block of the damage -> segments that each engine computes again: `b` fades in over the last one of `a`.
    for (block, by_a, by_b) in [(5, 0, 3), (3, 1, 5), (1, 3, 5), (0, 4, 5)] {
        flip(&bass, block);
        fixture.set("a", None);
        fixture.set("b", None);
        let separations = fixture.open();
        let session = separations.find(session.id()).unwrap();
        let recomputed = session.manifest().recomputed;
        assert!(read(&session, "bass").is_err());
        wait_for(|| session.manifest().recomputed > recomputed);
        check_done(&separations, &session, &expected);
        let calls = ["a", "b"].map(|model| fixture.environment.calls(model));
        assert_eq!(calls, [by_a, by_b], "block {block}");
        let manifest = session.manifest();
        assert_eq!(manifest.stems, before.stems);
        assert_eq!(manifest.engine, before.engine);
        assert_eq!(manifest.engine_changes, before.engine_changes);
        assert_eq!(manifest.engine_spans, before.engine_spans);
    }
}

#[test]
fn a_restart_amid_the_span_of_an_earlier_engine_changes_no_byte() {
    let (fixture, session) = of_two_engines();
    let expected = stems(&session);
    flip(&session.layout().stem(&"bass".parse().unwrap()), 0);
    fixture.set("a", Some((2, Fault::Slow)));
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    assert!(read(&session, "bass").is_err());
    wait_for(|| {
        let manifest = session.manifest();
        (manifest.recomputed, manifest.commit.segments) == (1, 2)
    });
    separations.close(Instant::now() + PATIENCE);
    drop(separations);
    fixture.set("a", None);
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    check_done(&separations, &session, &expected);
    assert_eq!(session.manifest().engine_changes.len(), 1);
    assert_eq!(fixture.environment.calls("a"), 2);
}

#[test]
fn a_stem_whose_engine_has_gone_is_lost_and_leaves_the_others() {
    let (fixture, session) = of_two_engines();
    flip(&session.layout().stem(&"bass".parse().unwrap()), 0);
    fs::remove_dir_all(fixture.folder.path().join("models/a")).unwrap();
    let separations = fixture.open_with(&["b"]);
    let session = separations.find(session.id()).unwrap();
    assert!(read(&session, "bass").is_err());
    wait_for(|| session.found_damage() == FoundDamage::Lost);
    assert_eq!(session.state(), SessionState::Done);
    read(&session, "vocals").unwrap();
}

#[test]
fn what_the_engine_in_use_has_computed_is_healed_after_a_change_of_engines_too() {
    let fails = Some((2, Fault::Error));
    let failing = FakeEngine { fails, ..FakeEngine::default() };
    let undisturbed = {
        let fixture = Fixture::new(failing);
        stems(&separate(&fixture.open(), Settings::default(), &song(44_100)))
    };
    let fixture = Fixture::new(failing);
    let session = stopped(&fixture, ("b", 5), 7);
    assert_eq!(session.manifest().engine_spans.len(), 1);
    fs::remove_file(session.layout().overlap_state(7)).unwrap();
    fixture.set("b", None);
    let separations = fixture.open();
    let session = separations.find(session.id()).unwrap();
    check_done(&separations, &session, &undisturbed);
    assert_eq!(session.manifest().engine_changes.len(), 1);
}
