//! Without an engine that can continue it, a session fails and keeps what it has.

use std::fs;
use std::time::Duration;

use stemwire::audio::Frames;
use stemwire::proto::reason::ErrorReason;
use stemwire::session::{SessionState, Settings};

use super::{FOUR, Fixture, SEGMENT, SONG, STRIDE, fails, song};
use crate::support::environment::{FakeEngine, Fault, cards};
use crate::support::pipeline::{begin, separate, wav};

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
