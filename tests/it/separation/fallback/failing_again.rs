//! Engines that fail repeatedly or hang keep nothing else waiting.

use std::time::{Duration, Instant};

use stemwire::audio::Frames;
use stemwire::engine::fallback::circuit_breaker::CircuitState;
use stemwire::proto::reason::ChangeReason;
use stemwire::session::{SessionState, Settings};

use super::{Fixture, HANGS, SONG, fails, song};
use crate::support::environment::{FakeEngine, Fault};
use crate::support::pipeline::{begin, separate, wait_for, wav};

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
    wait_for(|| breakers.is_closed("a"));
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
    wait_for(|| place.stage.calls("b") > 0);
    let begun = Instant::now();
    drop(separations);
    // Half of what sessions have to leave their places.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(!session.state().is_ended());
}
