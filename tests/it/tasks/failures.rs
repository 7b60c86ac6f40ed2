//! Segments that fail, and workers that do.

use std::time::Duration;

use stemwire::cluster::tasks::TaskEnd;
use stemwire::proto::reason::{ChangeReason, ErrorReason};
use stemwire::session::{SessionState, Settings};

use super::{SECRET, hashes, with_fakes};
use crate::support::environment::{FakeEngine, Fault, TestEnvironment};
use crate::support::pipeline::{self, mixture_upload, separate};

#[test]
fn a_segment_that_fails_at_workers_is_tried_twice_and_then_falls_back() {
    let data = tempfile::tempdir().unwrap();
    let script = FakeEngine { fails: Some((1, Fault::NotFinite)), ..FakeEngine::default() };
    let (cluster, fakes, models) = with_fakes(data.path(), script);
    cluster.join("one", fakes.pool(), &models, SECRET);
    let upload = mixture_upload(2, 40_000, 0.3);
    let session = separate(&cluster.separations, Settings::default(), &upload);
    let changes = session.manifest().engine_changes.clone();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].reason, ChangeReason::EngineNotFinite);
    assert_eq!((changes[0].from.model.as_str(), changes[0].to.model.as_str()), ("faulty", "works"));
}

#[test]
fn a_worker_that_fails_is_passed_over_and_costs_no_session_its_model() {
    for (fault, failures) in [(Fault::Error, 3), (Fault::NotFinite, 3), (Fault::Load, 1)] {
        let data = tempfile::tempdir().unwrap();
        let script = FakeEngine { fails: Some((0, fault)), ..FakeEngine::default() };
        let (cluster, broken, models) = with_fakes(data.path(), script);
        let pause = Duration::from_millis(5);
        let slow = FakeEngine { pause, ..FakeEngine::default() };
        let healthy = TestEnvironment::new(&[("faulty", slow)]);
        cluster.join("broken", broken.pool(), &models, SECRET);
        cluster.join("healthy", healthy.pool(), &models, SECRET);
        let upload = mixture_upload(2, 100_000, 0.3);
        let (alone, folder) = (data.path().join("alone"), data.path().join("models"));
        let alone = healthy.separations(&alone, &folder, &["faulty", "works"]);
        let expected = hashes(&separate(&alone, Settings::default(), &upload));
        let failed = || {
            let state = cluster.separations.pool().cluster().unwrap();
            let failed =
                state.failed().map(|(one, fault)| (one.name.clone(), fault.health.failures));
            Vec::from_iter(failed)
        };
        for attempt in 0..3 {
            let session = separate(&cluster.separations, Settings::default(), &upload);
            assert_eq!(hashes(&session), expected, "{fault:?}, {attempt}");
            assert!(session.manifest().engine_changes.is_empty());
        }
        assert_eq!(failed(), [("broken".to_owned(), failures)], "{fault:?}");
        let ends = cluster.ends();
        let answered =
            |(name, end): &&(String, TaskEnd)| name == "broken" && *end == TaskEnd::Answered;
        assert_eq!(ends.iter().filter(answered).count(), failures as usize, "{ends:?}");
        assert_eq!(
            broken.calls("faulty"),
            if fault == Fault::Load { 0 } else { failures as usize }
        );
        assert!(cluster.separations.chain().circuit_breakers().is_closed("faulty"));
    }
}

#[test]
fn a_session_that_may_not_fall_back_fails_where_two_workers_do() {
    let data = tempfile::tempdir().unwrap();
    let script = FakeEngine { fails: Some((1, Fault::NotFinite)), ..FakeEngine::default() };
    let (cluster, fakes, models) = with_fakes(data.path(), script);
    cluster.join("one", fakes.pool(), &models, SECRET);
    cluster.join("two", fakes.pool(), &models, SECRET);
    let upload = mixture_upload(2, 40_000, 0.3);
    let settings = Settings { allow_fallback: false, ..Settings::default() };
    let session = pipeline::begin(&cluster.separations, settings, &upload);
    let state = cluster.separations.wait(&session, Duration::from_secs(60));
    assert_eq!(state, SessionState::Failed);
    let failure = session.manifest().failure.clone().unwrap();
    assert_eq!(failure.reason, ErrorReason::EngineFailed);
    assert!(failure.message.contains("not finite"), "{}", failure.message);
}
