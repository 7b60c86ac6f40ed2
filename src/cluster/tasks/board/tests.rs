use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use super::*;
use crate::cluster::tasks::TaskExecution;
use crate::engine::{EngineIdentity, EngineOptions, Precision, Provider};
use crate::model::AvailableModels;

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
    board: Arc<TaskBoard>,
    dispatcher: BoardDispatcher,
    queue: RecordedQueue,
    model: Arc<Model>,
    cancelled: Arc<AtomicBool>,
    results: mpsc::Receiver<(u64, Result<SeparatedSegment, EngineError>)>,
    sender: mpsc::SyncSender<(u64, Result<SeparatedSegment, EngineError>)>,
}

fn board() -> TestBoard {
    let model = AvailableModels::open(None).find("mini").unwrap();
    let queue = RecordedQueue::default();
    let execution = Box::new(|model: &Model| {
        TaskExecution::of(&EngineIdentity {
            model: model.card().name.clone(),
            weights: model.card().weights_hash(),
            verified: true,
            provider: Provider::Cpu,
            runtime: "a library".into(),
            threads: 1,
            precision: Precision::F32,
        })
    });
    let board = Arc::new(TaskBoard::new(Box::new(queue.clone()), execution, 7));
    let dispatcher = BoardDispatcher(Arc::clone(&board));
    let (sender, results) = mpsc::sync_channel(64);
    TestBoard { board, dispatcher, queue, model, cancelled: Arc::default(), results, sender }
}

impl TestBoard {
    fn submit(&self, owner: OwnerId, segment: u64) {
        let sender = self.sender.clone();
        let task = Task {
            model: Arc::clone(&self.model),
            segment,
            mix: Stereo::zeros(8),
            options: EngineOptions::all(self.model.card()),
            isolated: false,
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
    let fetched = [0, 1].map(|_| test.board.fetch(key, "one", 1).unwrap());
    assert!(fetched.iter().all(|task| task.mix[0].len() == 8 && !task.isolated));
    test.board.deliver(key, test.stems(8)).unwrap();
    assert!(matches!(test.ended(), (3, Ok(segment)) if segment.stems.len() == 4));
    assert_eq!(test.board.deliver(key, test.stems(8)), Err(TaskRefusal::Answered));
    assert_eq!(test.board.fetch(key, "two", 1).unwrap_err(), TaskRefusal::Answered);
    let other = TaskKey { epoch: key.epoch + 1, ..key };
    assert_eq!(test.board.expected(other), Err(TaskRefusal::Unknown));
    assert!(test.results.try_recv().is_err());
    assert_eq!(test.queue.0.lock().unwrap().1, [key]);
}

#[test]
fn a_segment_that_is_submitted_again_is_another_task() {
    let test = board();
    let failed = || Err(EngineError::Run { model: "mini".into(), reason: "no luck".into() });
    test.submit(5, 3);
    let first = test.offered()[0];
    test.board.deliver(first, failed()).unwrap();
    assert!(matches!(test.ended(), (3, Err(EngineError::Run { .. }))));
    test.submit(5, 3);
    let second = test.offered()[1];
    assert!(second.epoch > first.epoch);
    assert_eq!(test.board.deliver(first, test.stems(8)), Err(TaskRefusal::Answered));
    test.board.deliver(second, test.stems(8)).unwrap();
    assert!(test.ended().1.is_ok());
}

#[test]
fn stems_of_another_shape_are_refused_and_the_task_stays_open() {
    let test = board();
    test.submit(5, 0);
    let key = test.offered()[0];
    assert_eq!(test.board.deliver(key, test.stems(7)), Err(TaskRefusal::WrongStems));
    let none = Ok(SeparatedSegment { stems: Vec::new(), engine_time: Duration::ZERO });
    assert_eq!(test.board.deliver(key, none), Err(TaskRefusal::WrongStems));
    test.board.deliver(key, test.stems(8)).unwrap();
}

#[test]
fn a_task_that_ends_its_workers_is_computed_alone_and_then_fails() {
    let test = board();
    test.submit(5, 0);
    let key = test.offered()[0];
    let isolated: Vec<bool> =
        (0..6).map(|_| test.board.fetch(key, "one", 1).unwrap().isolated).collect();
    assert_eq!(isolated, [false, false, true, true, true, true]);
    assert!(test.results.try_recv().is_err());
    assert!(test.board.fetch(key, "one", 1).is_err());
    assert!(matches!(test.ended().1, Err(EngineError::Run { .. })));
}

#[test]
fn no_more_is_offered_than_workers_have_room_for() {
    let test = board();
    (0..20).for_each(|segment| test.submit(5, segment));
    assert_eq!(test.offered().len(), 4);
    assert_eq!(test.dispatcher.lanes(), 2);
    test.board.fetch(test.offered()[0], "one", 3).unwrap();
    test.board.fetch(test.offered()[1], "two", 4).unwrap();
    assert_eq!(test.dispatcher.lanes(), 7);
    test.board.deliver(test.offered()[0], test.stems(8)).unwrap();
    assert_eq!(test.offered().len(), 15);
    let counts = TaskCounts { waiting: 5, offered: 14, workers: 2 };
    assert_eq!(test.board.counts(), counts);
}

#[test]
fn sessions_share_the_workers() {
    let test = board();
    (0..9).for_each(|segment| test.submit(1, segment));
    test.submit(2, 0);
    let first = test.offered()[0];
    test.board.deliver(first, test.stems(8)).unwrap();
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
    assert_eq!(test.board.fetch(first, "one", 1).unwrap_err(), TaskRefusal::Unknown);
    test.cancelled.store(true, Ordering::Relaxed);
    assert_eq!(test.board.fetch(last, "one", 1).unwrap_err(), TaskRefusal::Unknown);
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
