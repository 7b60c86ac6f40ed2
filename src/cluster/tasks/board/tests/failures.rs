//! Tasks that fail, and workers that do.

use super::*;

fn failed<T>() -> Result<T, EngineError> {
    Err(EngineError::Run { model: "mini".into(), reason: "no luck".into() })
}

#[test]
fn a_task_that_fails_is_another_one_of_another_worker_and_then_fails() {
    let test = board();
    test.join("two", 1, 1);
    test.submit(5, 3);
    let first = test.offered()[0];
    test.board.fetch(first, "one").unwrap();
    test.board.deliver(first, "one", failed()).unwrap();
    assert!(test.results.try_recv().is_err());
    let second = test.offered()[1];
    assert!(second.epoch > first.epoch);
    assert_eq!(test.board.deliver(first, "two", test.stems(8)), Err(TaskRefusal::Answered));
    let for_another = TaskRefusal::PassedOver { pause: Duration::ZERO };
    assert_eq!(test.board.fetch(second, "one").unwrap_err(), for_another);
    test.board.fetch(second, "two").unwrap();
    test.board.deliver(second, "two", failed()).unwrap();
    assert!(matches!(test.ended(), (3, Err(EngineError::Run { .. }))));
    // It was taken once, and lost nowhere.
    let totals = test.board.cluster().totals;
    assert_eq!((totals.taken, totals.retaken), (1, 0));
}

#[test]
fn a_worker_alone_tries_again_what_it_has_not_lacked_a_resource_for() {
    let test = board();
    test.submit(5, 3);
    test.board.deliver(test.offered()[0], "one", failed()).unwrap();
    test.board.fetch(test.offered()[1], "one").unwrap();
    test.board.deliver(test.offered()[1], "one", test.stems(8)).unwrap();
    assert!(test.ended().1.is_ok());
    test.submit(5, 4);
    let lack = || Err(EngineError::SystemLimit { model: "mini".into(), reason: "no file".into() });
    test.board.deliver(test.offered()[2], "one", lack()).unwrap();
    assert!(matches!(test.ended(), (4, Err(EngineError::SystemLimit { .. }))));
    test.join("two", 1, 1);
    test.submit(5, 5);
    test.board.deliver(test.offered()[3], "one", lack()).unwrap();
    test.board.deliver(test.offered()[4], "two", test.stems(8)).unwrap();
    assert!(matches!(test.ended(), (5, Ok(_))));
}

#[test]
fn workers_that_cannot_load_the_model_have_not_failed_on_the_task() {
    let test = board();
    ["two", "three"].iter().for_each(|name| test.join(name, 1, 1));
    test.submit(5, 3);
    let load = || Err(EngineError::Load { model: "mini".into(), reason: "no graph".into() });
    for (at, worker) in ["one", "two"].into_iter().enumerate() {
        test.board.deliver(test.offered()[at], worker, load()).unwrap();
    }
    test.board.deliver(test.offered()[2], "three", failed()).unwrap();
    test.board.deliver(test.offered()[3], "three", failed()).unwrap();
    assert!(matches!(test.ended(), (3, Err(EngineError::Run { .. }))));
    // Where none can, the task ends.
    test.submit(5, 4);
    test.board.deliver(test.offered()[4], "three", load()).unwrap();
    test.board.deliver(test.offered()[5], "three", load()).unwrap();
    assert!(matches!(test.ended(), (4, Err(EngineError::Load { .. }))));
}

#[test]
fn a_worker_that_fails_repeatedly_is_passed_over_while_another_works() {
    let test = board();
    test.join("two", 1, 1);
    let passed_over = |key| match test.board.fetch(key, "one") {
        Err(TaskRefusal::PassedOver { pause }) => Some(pause),
        fetched => fetched.map(|_| None).unwrap(),
    };
    (0..3).for_each(|segment| test.submit(5, segment));
    for (at, key) in test.offered().into_iter().enumerate() {
        assert_eq!(passed_over(key), None, "{at}");
        test.board.deliver(key, "one", failed()).unwrap();
    }
    let again = test.offered()[3..].to_vec();
    again.iter().for_each(|&key| test.board.deliver(key, "two", test.stems(8)).unwrap());
    assert!(test.results.try_iter().all(|(_, result)| result.is_ok()));
    test.submit(5, 3);
    let next = test.offered()[6];
    // Its probe is in half a minute.
    assert!(passed_over(next).is_some_and(|pause| pause > Duration::ZERO));
    test.board.fetch(next, "two").unwrap();
    let shown = test.board.cluster();
    let [one, two] = &shown.workers[..] else { panic!("{shown:?}") };
    assert!(!one.works(&test.model.card().name) && two.works(&test.model.card().name));
    assert_eq!(one.faults[0].health.failures, 3);
    assert!(one.faults[0].health.error.as_ref().unwrap().to_string().contains("no luck"));
    assert_eq!(shown.lanes_of(test.model.card().weights_hash()), 1);
    assert_eq!(test.dispatcher.lanes_of(&test.model, &test.engine(1)), 1);
    // Better than none.
    test.workers.left("two");
    assert_eq!(passed_over(next), None);
    assert_eq!(test.dispatcher.lanes_of(&test.model, &test.engine(1)), 2);
    // One of its name that starts again is as good as any.
    test.join("two", 1, 1);
    assert!(passed_over(next).is_some());
    test.workers.left("one");
    test.join("one", 2, 1);
    assert_eq!(passed_over(next), None);
}

#[test]
fn what_is_too_loud_for_any_engine_is_no_failure_of_a_worker() {
    let test = board();
    test.join("two", 1, 1);
    for worker in ["one", "two"] {
        for _ in 0..3 {
            test.submit_mix(Stereo::from_planes(vec![1e6; 8], vec![0.0; 8]).unwrap());
            let error = || Err(EngineError::NotFinite { model: "mini".into() });
            test.board.deliver(*test.offered().last().unwrap(), worker, error()).unwrap();
            test.board.deliver(*test.offered().last().unwrap(), worker, error()).unwrap();
        }
    }
    assert!(test.results.try_iter().all(|(_, result)| result.is_err()));
    assert!(test.board.cluster().workers.iter().all(|worker| worker.faults.is_empty()));
}

#[test]
fn a_task_that_ends_its_workers_is_computed_alone_and_then_ends_as_if_killed() {
    let test = board();
    test.submit(5, 0);
    let key = test.offered()[0];
    let isolated: Vec<bool> =
        (0..6).map(|_| test.board.fetch(key, "one").unwrap().isolated).collect();
    assert_eq!(isolated, [false, false, true, true, true, true]);
    assert!(test.results.try_recv().is_err());
    assert!(test.board.fetch(key, "one").is_err());
    assert!(matches!(test.ended().1, Err(EngineError::Killed { .. })));
}
