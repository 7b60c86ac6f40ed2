//! The next engine continues where the failed one stopped, also after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::audio::Frames;
use stemwire::proto::reason::ChangeReason;
use stemwire::separation::Separations;
use stemwire::session::{Session, SessionState, Settings};

use super::{Fixture, HANGS, SONG, STRIDE, fails, furthest, song, undisturbed};
use crate::support::environment::{FakeEngine, Fault};
use crate::support::pipeline::{begin, separate, stem, wait_for, wav};

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

#[test]
fn a_session_that_names_a_model_may_fall_back_too() {
    let place = Fixture::of_two(FakeEngine::default(), fails(4, Fault::Error));
    let separations = place.open(&["a", "b"]);
    let settings = Settings { model: Some("b".into()), ..Settings::default() };
    let session = separate(&separations, settings, &wav(&song(SONG), 44_100));
    assert_eq!(session.manifest().engine.as_ref().unwrap().model, "a");
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
        wait_for(|| {
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
