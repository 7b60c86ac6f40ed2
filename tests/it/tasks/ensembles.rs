//! Ensembles whose models are at several workers.

use std::time::Duration;

use stemwire::engine::Chain;
use stemwire::model::AvailableModels;
use stemwire::proto::reason::ErrorReason;
use stemwire::session::{Session, SessionState, Settings};

use super::{Cluster, SECRET, hashes, real_pool};
use crate::support::pipeline::{self, golden, mixture_upload, separate};

#[test]
fn an_ensemble_of_models_at_several_workers_has_the_bytes_of_one_machine() {
    let upload = mixture_upload(2, 200_000, 0.3);
    let data = tempfile::tempdir().unwrap();
    let models = data.path().join("models");
    std::fs::create_dir(&models).unwrap();
    std::os::unix::fs::symlink(golden().join("scnet-tiny"), models.join("scnet-tiny")).unwrap();
    let available = || AvailableModels::open(Some(&models));
    let only = |name: &str| vec![available().find(name).unwrap()];
    let ensemble = "vocals=mini+scnet-tiny,rest=scnet-tiny";
    let settings = || Settings { model: Some(ensemble.into()), ..Settings::default() };
    let alone = pipeline::separations(&data.path().join("alone"), Some(&models), 1);
    let alone = separate(&alone, settings(), &upload);
    let cluster = Cluster::start(|pool| {
        let chain = Chain::of(&[], &available()).unwrap();
        pipeline::open(&data.path().join("cluster"), pool, available(), chain)
    });
    cluster.join_with("one", real_pool(), only("mini"), SECRET);
    let session = pipeline::begin(&cluster.separations, settings(), &upload);
    let delay = || session.manifest().delay().map(|delay| delay.reason);
    pipeline::wait_for(|| delay() == Some(ErrorReason::NoWorker));
    cluster.join_with("two", real_pool(), only("scnet-tiny"), SECRET);
    let state = cluster.separations.wait(&session, Duration::from_secs(60));
    assert_eq!(state, SessionState::Done);
    assert_eq!(hashes(&session), hashes(&alone));
    let engine = |session: &Session| session.manifest().engine.clone().unwrap();
    assert_eq!(engine(&session), engine(&alone));
    let ends = cluster.ends();
    for name in ["one", "two"] {
        assert!(ends.iter().any(|(worker, _)| worker == name), "{name} had none: {ends:?}");
    }
}
