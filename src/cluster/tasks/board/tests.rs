mod failures;

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use super::*;
use crate::audio::Stereo;
use crate::cluster::tasks::{BoardDispatcher, TaskRefusal, WorkerAnnouncement};
use crate::engine::pool::Dispatcher;
use crate::engine::{EngineIdentity, EngineOptions, Precision, Provider, SeparatedSegment};
use crate::model::{AvailableModels, Model};

#[derive(Clone, Default)]
struct RecordedQueue(Arc<Mutex<(Vec<QueuedTask>, Vec<TaskKey>)>>);

impl TaskQueue for RecordedQueue {
    fn offer(&self, task: QueuedTask) {
        self.0.lock().unwrap().0.push(task);
    }

    fn withdraw(&self, key: TaskKey) {
        self.0.lock().unwrap().1.push(key);
    }
}

struct TestBoard {
    workers: Arc<KnownWorkers>,
    board: Arc<TaskBoard>,
    dispatcher: BoardDispatcher,
    queue: RecordedQueue,
    model: Arc<Model>,
    cancelled: Arc<AtomicBool>,
    results: mpsc::Receiver<(u64, Result<SeparatedSegment, EngineError>)>,
    sender: mpsc::SyncSender<(u64, Result<SeparatedSegment, EngineError>)>,
}

fn board() -> TestBoard {
    TestBoard::with(RecordedQueue::default(), AvailableModels::open(None).find("mini").unwrap())
}

impl TestBoard {
    /// A board with a worker of two lanes.
    fn with(queue: RecordedQueue, model: Arc<Model>) -> TestBoard {
        let workers = Arc::new(KnownWorkers::default());
        let board = Arc::new(TaskBoard::new(Box::new(queue.clone()), Arc::clone(&workers), 7));
        let dispatcher = BoardDispatcher::new(Arc::clone(&board));
        let (sender, results) = mpsc::sync_channel(64);
        let cancelled = Arc::default();
        let test =
            TestBoard { workers, board, dispatcher, queue, model, cancelled, results, sender };
        test.join("one", 2, 1);
        test
    }

    fn engine(&self, threads: usize) -> EngineIdentity {
        EngineIdentity {
            model: self.model.card().name.clone(),
            weights: self.model.card().weights_hash(),
            verified: true,
            provider: Provider::Cpu,
            runtime: "a library".into(),
            threads,
            precision: Precision::F32,
        }
    }

    /// A worker joins, or announces itself again.
    fn join(&self, name: &str, lanes: usize, threads: usize) {
        let engines = [self.engine(threads)];
        self.workers.announced(&WorkerAnnouncement::new(name, lanes, &engines));
        self.board.workers_changed();
    }

    fn submit(&self, owner: OwnerId, segment: u64) {
        self.submit_to(None, owner, segment);
    }

    fn submit_to(&self, engine: Option<EngineIdentity>, owner: OwnerId, segment: u64) {
        self.submit_task(engine, owner, segment, Stereo::zeros(8));
    }

    fn submit_mix(&self, mix: Stereo) {
        self.submit_task(None, 5, 0, mix);
    }

    fn submit_task(
        &self,
        engine: Option<EngineIdentity>,
        owner: OwnerId,
        segment: u64,
        mix: Stereo,
    ) {
        let sender = self.sender.clone();
        let task = Task {
            model: Arc::clone(&self.model),
            segment,
            mix,
            options: EngineOptions::all(self.model.card()),
            isolated: false,
            engine,
            cancelled: Arc::clone(&self.cancelled),
            on_start: Box::new(|| panic!("no engine of this machine computes it")),
            on_done: Box::new(move |result| sender.send((segment, result)).unwrap()),
        };
        self.dispatcher.submit(owner, task);
    }

    /// The keys of all offers.
    fn offered(&self) -> Vec<TaskKey> {
        self.queue.0.lock().unwrap().0.iter().map(|task| task.key).collect()
    }

    fn stems(&self, frames: usize) -> Result<SeparatedSegment, EngineError> {
        let stems = vec![Stereo::zeros(frames); self.model.card().stems.len()];
        Ok(SeparatedSegment { stems, engine_time: Duration::from_secs(1) })
    }

    #[track_caller]
    fn ended(&self) -> (u64, Result<SeparatedSegment, EngineError>) {
        self.results.try_recv().unwrap()
    }
}

#[test]
fn the_first_answer_is_taken_and_later_ones_are_refused_by_name() {
    let test = board();
    test.submit(5, 3);
    let key = test.offered()[0];
    assert_eq!((key.session, key.segment), (5, 3));
    let fetched = [0, 1].map(|_| test.board.fetch(key, "one").unwrap());
    assert!(fetched.iter().all(|task| task.mix[0].len() == 8 && !task.isolated));
    test.board.deliver(key, "one", test.stems(8)).unwrap();
    assert!(matches!(test.ended(), (3, Ok(segment)) if segment.stems.len() == 4));
    assert_eq!(test.board.deliver(key, "one", test.stems(8)), Err(TaskRefusal::Answered));
    assert_eq!(test.board.fetch(key, "one").unwrap_err(), TaskRefusal::Answered);
    let other = TaskKey { epoch: key.epoch + 1, ..key };
    assert_eq!(test.board.expected(other), Err(TaskRefusal::Unknown));
    assert!(test.results.try_recv().is_err());
    assert_eq!(test.queue.0.lock().unwrap().1, [key]);
}

#[test]
fn stems_of_another_shape_are_refused_and_the_task_stays_open() {
    let test = board();
    test.submit(5, 0);
    let key = test.offered()[0];
    assert_eq!(test.board.deliver(key, "one", test.stems(7)), Err(TaskRefusal::WrongStems));
    let none = Ok(SeparatedSegment { stems: Vec::new(), engine_time: Duration::ZERO });
    assert_eq!(test.board.deliver(key, "one", none), Err(TaskRefusal::WrongStems));
    test.board.deliver(key, "one", test.stems(8)).unwrap();
}

#[test]
fn no_more_is_offered_than_workers_have_room_for() {
    let test = board();
    (0..20).for_each(|segment| test.submit(5, segment));
    assert_eq!(test.offered().len(), 4);
    assert_eq!(test.dispatcher.lanes(), 2);
    test.join("two", 5, 1);
    assert_eq!((test.dispatcher.lanes(), test.offered().len()), (7, 14));
    test.board.deliver(test.offered()[0], "one", test.stems(8)).unwrap();
    assert_eq!(test.offered().len(), 15);
    assert_eq!(test.board.counts(), TaskCounts { waiting: 5, offered: 14 });
    let cluster = test.dispatcher.cluster().unwrap();
    assert_eq!((cluster.workers.len(), cluster.lanes(), cluster.waiting), (2, 7, 5));
}

#[test]
fn what_waits_for_an_engine_that_is_lost_takes_no_room_of_others() {
    let test = board();
    test.join("two", 1, 4);
    test.board.workers().left("one");
    let other = test.engine(4);
    (0..9).for_each(|segment| test.submit_to(Some(test.engine(1)), 5, segment));
    assert_eq!(test.offered().len(), 0);
    (0..9).for_each(|segment| test.submit_to(Some(other.clone()), 6, segment));
    assert!(test.offered().len() == 2 && test.offered().iter().all(|key| key.session == 6));
    test.join("one", 1, 1);
    assert_eq!(test.offered().iter().filter(|key| key.session == 5).count(), 2);
}

#[test]
fn a_task_that_no_worker_can_take_is_answered() {
    let test = board();
    test.board.workers().left("one");
    test.submit(5, 0);
    assert!(matches!(test.ended(), (0, Err(EngineError::SystemLimit { .. }))));
}

#[test]
fn a_small_session_waits_for_two_rounds_of_a_large_one_at_another_server() {
    // Both servers share the queue, which is served in its order.
    let large = board();
    let small = TestBoard::with(large.queue.clone(), Arc::clone(&large.model));
    (0..40).for_each(|segment| large.submit(1, segment));
    (0..3).for_each(|segment| small.submit(2, segment));
    let (mut served, mut behind) = (0, 0);
    while served < 3 {
        let key = large.queue.0.lock().unwrap().0.remove(0).key;
        let of = if key.session == 1 { &large } else { &small };
        of.board.deliver(key, "one", of.stems(8)).unwrap();
        served += u32::from(key.session == 2);
        behind += u32::from(key.session == 1);
    }
    // Of two lanes, two rounds are queued.
    assert_eq!(behind, 4);
}

#[test]
fn sessions_share_the_workers() {
    let test = board();
    (0..9).for_each(|segment| test.submit(1, segment));
    test.submit(2, 0);
    let first = test.offered()[0];
    test.board.deliver(first, "one", test.stems(8)).unwrap();
    // The other session has used no time yet.
    assert_eq!(test.offered().last().map(|key| key.session), Some(2));
}

#[test]
fn what_is_not_wanted_any_more_is_answered_and_withdrawn() {
    let test = board();
    (0..6).for_each(|segment| test.submit(1, segment));
    test.submit(2, 9);
    test.dispatcher.remove(1);
    let ended = Vec::from_iter(test.results.try_iter());
    assert_eq!(ended.len(), 6);
    assert!(ended.iter().all(|(_, result)| matches!(result, Err(EngineError::Cancelled))));
    let last = test.offered()[4];
    assert_eq!(last.session, 2);
    let first = test.offered()[0];
    assert_eq!(test.board.fetch(first, "one").unwrap_err(), TaskRefusal::Unknown);
    test.cancelled.store(true, Ordering::Relaxed);
    assert_eq!(test.board.fetch(last, "one").unwrap_err(), TaskRefusal::Unknown);
    assert!(matches!(test.ended(), (9, Err(EngineError::Cancelled))));
    assert_eq!(test.queue.0.lock().unwrap().1.len(), 5);
}

#[test]
fn a_server_that_stops_answers_all() {
    let test = board();
    (0..6).for_each(|segment| test.submit(1, segment));
    drop(test.dispatcher);
    let ended = Vec::from_iter(test.results.try_iter());
    assert_eq!(ended.len(), 6);
    assert!(ended.iter().all(|(_, result)| matches!(result, Err(EngineError::ShuttingDown))));
}
