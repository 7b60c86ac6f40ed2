use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::engine::{EngineError, Precision, Provider};
use crate::model::{AvailableModels, Model, ModelName};

fn model() -> Arc<Model> {
    AvailableModels::open(None).find("mini").unwrap()
}

fn engine(threads: usize) -> EngineIdentity {
    EngineIdentity {
        model: "at-the-worker".parse().unwrap(),
        weights: model().card().weights_hash(),
        verified: true,
        provider: Provider::Cpu,
        runtime: "a library".into(),
        threads,
        precision: Precision::F32,
    }
}

fn worker(name: &str, lanes: usize, threads: usize) -> WorkerAnnouncement {
    let announced = WorkerAnnouncement::new(name, lanes, &[engine(threads)]);
    WorkerAnnouncement::from_bytes(&announced.to_bytes()).unwrap()
}

fn threads(known: &KnownWorkers) -> Vec<usize> {
    known.engines(&model()).iter().map(|engine| engine.threads).collect()
}

#[test]
fn the_engine_of_most_lanes_is_preferred() {
    let known = KnownWorkers::default();
    assert!(threads(&known).is_empty());
    known.announced(&worker("one", 3, 1));
    known.announced(&worker("two", 2, 4));
    assert_eq!(threads(&known), [1, 4]);
    known.announced(&worker("three", 2, 4));
    assert_eq!(threads(&known), [4, 1]);
    assert_eq!(known.lanes_of(&model(), &engine(4)), 4);
    // Under the name that the model has here.
    assert_eq!(known.engines(&model())[0].model.as_str(), "mini");
    known.left("three");
    assert_eq!(threads(&known), [1, 4]);
    assert_eq!(known.all().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn engines_that_give_other_bits_in_another_version_are_left_out() {
    let known = KnownWorkers::default();
    let mut other = worker("one", 3, 1);
    other.engines[0].execution = "0123456789abcdef.0123456789abcdef".into();
    known.announced(&other);
    assert!(threads(&known).is_empty());
    assert_eq!(known.all().len(), 1);
}

#[test]
fn a_worker_lacks_the_models_that_it_names_and_one_of_an_earlier_version_names_none() {
    let lacks = worker("one", 1, 1).lacking(&["scnet".parse().unwrap()]);
    let mut earlier = serde_json::to_value(worker("two", 1, 1)).unwrap();
    assert!(earlier.as_object_mut().unwrap().remove("missing").is_some());
    let known = KnownWorkers::default();
    for entry in [lacks.to_bytes(), earlier.to_string().into_bytes()] {
        known.announced(&WorkerAnnouncement::from_bytes(&entry).unwrap());
    }
    let missing = |worker: RemoteWorker| worker.missing.iter().map(ModelName::to_string).collect();
    let missing: Vec<Vec<String>> = known.all().into_iter().map(missing).collect();
    assert_eq!(missing, [vec!["scnet".to_owned()], vec![]]);
}

#[test]
fn what_is_lost_is_absent_since_then_and_while_nothing_can_arrive_nothing_is_lost() {
    let known = KnownWorkers::default();
    let (model, second) = (model(), |count: u64| Duration::from_secs(count));
    let begun = known.lock().absences.begun;
    let absent = |after: u64, threads: usize| {
        known.absent_at(&model, Some(&engine(threads)), begun + second(after))
    };
    let any = |after: u64| known.absent_at(&model, None, begun + second(after));
    assert_eq!((absent(5, 1), any(5)), (second(5), second(5)));
    known.announced_at(&worker("one", 1, 1), begun + second(10));
    assert_eq!((absent(39, 1), absent(39, 2), any(39)), (second(0), second(39), second(0)));
    assert!(!known.expire_at(begun + second(39)));
    assert!(known.expire_at(begun + second(40)));
    assert_eq!((absent(47, 1), any(47)), (second(7), second(7)));
    known.prolong_at(begun + second(50));
    assert_eq!((absent(51, 1), absent(51, 2), any(51)), (second(1), second(1), second(1)));
    known.announced_at(&worker("one", 1, 1), begun + second(52));
    known.prolong_at(begun + second(80));
    assert!(!known.expire_at(begun + second(100)));
    // It comes back with another number of threads.
    known.announced_at(&worker("one", 1, 2), begun + second(101));
    assert_eq!((absent(103, 1), absent(103, 2), any(103)), (second(2), second(0), second(0)));
}

#[test]
fn an_ensemble_has_the_engines_whose_setup_all_its_members_have() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plain");
    let models = AvailableModels::open(Some(&golden));
    let ensemble = models.find("vocals=four+waveform").unwrap();
    let of = |name: &str, provider: Provider, threads: usize| EngineIdentity {
        weights: models.find(name).unwrap().card().weights_hash(),
        provider,
        ..engine(threads)
    };
    let known = KnownWorkers::default();
    let join = |name: &str, lanes: usize, engines: &[EngineIdentity]| {
        known.announced(&WorkerAnnouncement::new(name, lanes, engines));
    };
    join("one", 2, &[of("four", Provider::Cpu, 1), of("waveform", Provider::Openvino, 1)]);
    join("two", 3, &[of("four", Provider::Openvino, 2)]);
    let [found] = &known.engines(&ensemble)[..] else { panic!("of the others none has both") };
    assert_eq!((found.threads, found.provider), (1, Provider::Cpu));
    assert_eq!(found.weights, ensemble.card().weights_hash());
    assert_eq!(known.absent(&ensemble, Some(found)), Duration::ZERO);
    let member = |name: &str| known.member_engine(&models.find(name).unwrap(), found).unwrap();
    assert_eq!(member("four").provider, Provider::Cpu);
    // Each may have a provider of its own, but prefers that of the first.
    assert_eq!(member("waveform").provider, Provider::Openvino);
    assert_eq!(known.lanes_of(&ensemble, found), 2);
    join("three", 1, &[of("waveform", Provider::Cpu, 1)]);
    assert_eq!(member("waveform").provider, Provider::Cpu);
    assert_eq!(known.lanes_of(&ensemble, found), 3);
    let begun = known.lock().absences.begun;
    let later = begun + Duration::from_secs(60);
    known.left("one");
    assert!(known.engines(&ensemble).is_empty());
    assert!(known.absent_at(&ensemble, Some(found), later) > Duration::ZERO);
    // Both models are there, but not alike.
    assert_eq!(known.absent_at(&ensemble, None, later), Duration::from_secs(60));
}

#[test]
fn an_engine_that_fails_is_tried_by_a_segment_and_used_again_once_one_succeeds() {
    let probe = Duration::ZERO;
    let known = KnownWorkers::new(CircuitBreakerConfig { failures: 1, probe });
    known.announced(&worker("one", 1, 1));
    known.announced(&worker("two", 1, 1));
    let execution = TaskExecution::of(&engine(1));
    let error = EngineError::NotFinite { model: "mini".into() };
    let failures = || known.all()[0].faults.first().map_or(0, |fault| fault.health.failures);
    known.note("one", &TaskExecution::of(&engine(2)), Some(&error));
    known.note("three", &execution, Some(&error));
    assert_eq!(failures(), 0, "there are no such engines");
    known.note("one", &execution, Some(&error));
    assert!(!known.all()[0].works(&engine(1).model) && known.all()[1].works(&engine(1).model));
    assert_eq!(known.admit("one", &execution, None), Ok(()), "its probe is due");
    known.note("one", &execution, Some(&error));
    assert_eq!(failures(), 2);
    assert_eq!(known.lanes_of(&model(), &engine(1)), 1);
    assert_eq!(known.admit("one", &execution, None), Ok(()));
    known.note("one", &execution, None);
    assert_eq!((failures(), known.lanes_of(&model(), &engine(1))), (0, 2));
}
