//! Segments that workers compute for a server, over the network of this machine. A channel stands for the queue.

mod ensembles;
mod failures;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stemwire::cluster::ClusterSecret;
use stemwire::cluster::tasks::{
    BoardDispatcher, ClusterWorker, KnownWorkers, Lane, OfferedTasks, QueuedTask, TaskBoard,
    TaskEnd, TaskKey, TaskNotice, TaskQueue, WorkerAnnouncement,
};
use stemwire::engine::Chain;
use stemwire::engine::pool::{Pool, PoolConfig};
use stemwire::model::{AvailableModels, Model, Sha256Hash};
use stemwire::proto::reason::ErrorReason;
use stemwire::separation::Separations;
use stemwire::server::{ServerConfig, serve};
use stemwire::session::{Session, SessionState, Settings};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::support::environment::{FakeEngine, TestEnvironment, cards};
use crate::support::pipeline::{self, DECODER, mixture_upload, runtime, separate};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Pause of a worker that is not to compute a task.
const A_WHILE: Duration = Duration::from_millis(20);

/// A queue whose messages are lost on request.
struct ChannelQueue {
    owner: String,
    notices: mpsc::Sender<TaskNotice>,
    depth: Arc<AtomicU64>,
}

impl TaskQueue for ChannelQueue {
    fn offer(&self, task: QueuedTask) {
        // The receiver is gone once the test ends.
        let _ = self.notices.try_send(TaskNotice::of(&task, &self.owner));
    }

    fn withdraw(&self, _: TaskKey) {}

    fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }
}

/// A server whose segments are computed by workers.
struct Cluster {
    runtime: Runtime,
    notices: mpsc::Sender<TaskNotice>,
    received: Arc<tokio::sync::Mutex<mpsc::Receiver<TaskNotice>>>,
    separations: Arc<Separations>,
    workers: Arc<KnownWorkers>,
    board: Arc<TaskBoard>,
    /// Segments in the queue.
    depth: Arc<AtomicU64>,
    /// How tasks have ended, by worker.
    ends: Arc<Mutex<Vec<(String, TaskEnd)>>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Cluster {
    fn start(open: impl FnOnce(Pool) -> Separations) -> Cluster {
        let tasks = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = tasks.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let owner = format!("http://{}", listener.local_addr().unwrap());
        let (notices, received) = mpsc::channel(1024);
        let depth: Arc<AtomicU64> = Arc::default();
        let queue = ChannelQueue { owner, notices: notices.clone(), depth: Arc::clone(&depth) };
        let workers = Arc::new(KnownWorkers::default());
        let board = Arc::new(TaskBoard::new(Box::new(queue), Arc::clone(&workers), 1));
        let dispatcher = Box::new(BoardDispatcher::new(Arc::clone(&board)));
        let separations = Arc::new(open(Pool::by(dispatcher)));
        let secret = ClusterSecret::new(SECRET).unwrap();
        let offered = OfferedTasks::new(Arc::clone(&board), Some(secret));
        let config = ServerConfig { tasks: Some(offered), ..ServerConfig::default() };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = serve(listener, Arc::clone(&separations), config, async {
            let _ = stopped.await;
        });
        tasks.spawn(served);
        let received = Arc::new(tokio::sync::Mutex::new(received));
        let (ends, stop) = (Arc::default(), Some(stop));
        Cluster {
            runtime: tasks,
            notices,
            received,
            separations,
            workers,
            board,
            depth,
            ends,
            stop,
        }
    }

    /// Adds a worker.
    fn join(&self, name: &str, pool: Pool, models: &AvailableModels, secret: &str) {
        self.join_with(name, pool, models.all().to_vec(), secret);
    }

    fn join_with(&self, name: &str, pool: Pool, models: Vec<Arc<Model>>, secret: &str) {
        let secret = ClusterSecret::new(secret).unwrap();
        let worker = ClusterWorker::new(name.to_owned(), pool, models, Some(&secret));
        let lanes = Arc::new(Semaphore::new(worker.lanes()));
        self.workers.announced(&WorkerAnnouncement::new(name, worker.lanes(), &worker.engines()));
        self.board.workers_changed();
        let (received, ends) = (Arc::clone(&self.received), Arc::clone(&self.ends));
        let (notices, name) = (self.notices.clone(), name.to_owned());
        self.runtime.spawn(async move {
            loop {
                let Some(notice) = received.lock().await.recv().await else { return };
                let end = worker.compute(&notice, Lane::later(&lanes)).await;
                ends.lock().unwrap().push((name.clone(), end.clone()));
                match end {
                    TaskEnd::Answered | TaskEnd::NotWanted(_) => {}
                    TaskEnd::PassedOver(_) | TaskEnd::Returned => {
                        let _ = notices.try_send(notice);
                        tokio::time::sleep(A_WHILE).await;
                    }
                    TaskEnd::OwnerAway(_) => {
                        let _ = notices.try_send(notice);
                        return;
                    }
                }
            }
        });
    }

    fn ends(&self) -> Vec<(String, TaskEnd)> {
        self.ends.lock().unwrap().clone()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

fn real_pool() -> Pool {
    Pool::start(PoolConfig::for_threads(1), runtime()).unwrap()
}

fn hashes(session: &Session) -> BTreeMap<String, Sha256Hash> {
    let stems = session.manifest().plan.stems.clone();
    let hash =
        |name: &str| Sha256Hash::of_file(&session.layout().stem(&name.parse().unwrap())).unwrap();
    stems.iter().map(|stem| (stem.to_string(), hash(stem.as_str()))).collect()
}

#[test]
fn stems_that_workers_compute_have_the_bytes_of_those_of_one_machine() {
    let upload = mixture_upload(2, 500_000, 0.3);
    let available = || AvailableModels::open(None);
    let data = tempfile::tempdir().unwrap();
    let alone = pipeline::separations(&data.path().join("alone"), None, 1);
    let expected = hashes(&separate(&alone, Settings::default(), &upload));
    let cluster = Cluster::start(|pool| {
        let chain = Chain::of(&[], &available()).unwrap();
        pipeline::open(&data.path().join("cluster"), pool, available(), chain)
    });
    cluster.join("one", real_pool(), &available(), SECRET);
    cluster.join("two", real_pool(), &available(), SECRET);
    let session = separate(&cluster.separations, Settings::default(), &upload);
    assert_eq!(hashes(&session), expected);
    assert_eq!(expected.len(), 4);
    let ends = cluster.ends();
    assert!(ends.iter().all(|(_, end)| *end == TaskEnd::Answered), "{ends:?}");
    for name in ["one", "two"] {
        assert!(ends.iter().any(|(worker, _)| worker == name), "{name} had none: {ends:?}");
    }
    assert_eq!(cluster.board.counts().offered, 0);
}

/// A server with fake engines at one worker: those of `faulty` fail, after which the chain continues with `works`.
fn with_fakes(data: &Path, script: FakeEngine) -> (Cluster, TestEnvironment, AvailableModels) {
    let models = data.join("models");
    std::fs::create_dir(&models).unwrap();
    cards(
        &models,
        &[("faulty", "vocals accompaniment", 4096), ("works", "vocals accompaniment", 4096)],
    );
    let fakes = TestEnvironment::new(&[("faulty", script)]);
    let cluster = Cluster::start(|pool| {
        fakes.open(pool, Path::new(DECODER), &data.join("data"), &models, &["faulty", "works"])
    });
    (cluster, fakes, AvailableModels::open(Some(&models)))
}

#[test]
fn a_worker_without_the_secret_gets_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (cluster, fakes, models) = with_fakes(data.path(), FakeEngine::default());
    cluster.join("stranger", fakes.pool(), &models, &SECRET.replace('0', "1"));
    let upload = mixture_upload(2, 40_000, 0.3);
    let session = pipeline::begin(&cluster.separations, Settings::default(), &upload);
    pipeline::wait_for(|| !cluster.ends().is_empty());
    let ends = cluster.ends();
    let (_, TaskEnd::OwnerAway(text)) = &ends[0] else { panic!("{ends:?}") };
    assert!(text.contains("secret"), "{text}");
    assert_eq!(fakes.calls("faulty"), 0);
    // It is as open as before.
    cluster.join("one", fakes.pool(), &models, SECRET);
    let state = cluster.separations.wait(&session, Duration::from_secs(60));
    assert_eq!(state, SessionState::Done);
}

#[test]
fn a_session_without_a_worker_says_so_and_continues_once_there_is_one() {
    let data = tempfile::tempdir().unwrap();
    let (cluster, fakes, models) = with_fakes(data.path(), FakeEngine::default());
    let upload = mixture_upload(2, 40_000, 0.3);
    let session = pipeline::begin(&cluster.separations, Settings::default(), &upload);
    let delay = || session.manifest().delay().map(|delay| (delay.reason, delay.message.clone()));
    pipeline::wait_for(|| delay().is_some());
    assert_eq!(delay(), Some((ErrorReason::NoWorker, "no worker has faulty".to_owned())));
    assert_eq!(session.state(), SessionState::Paused);
    cluster.join("one", fakes.pool(), &models, SECRET);
    let state = cluster.separations.wait(&session, Duration::from_secs(60));
    assert_eq!(state, SessionState::Done);
    assert!(session.manifest().engine_changes.is_empty());
}

#[test]
fn no_session_is_begun_while_the_workers_have_too_much_to_do() {
    let data = tempfile::tempdir().unwrap();
    let (cluster, fakes, models) = with_fakes(data.path(), FakeEngine::default());
    let create = || cluster.separations.create(Settings::default());
    // Without a worker it would wait.
    cluster.depth.store(32, Ordering::Relaxed);
    create().unwrap();
    cluster.join("one", fakes.pool(), &models, SECRET);
    let refused = create().unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::QueueFull);
    assert_eq!(
        cluster.separations.obstacle().map(|one| one.reason()),
        Some(ErrorReason::QueueFull)
    );
    cluster.depth.store(31, Ordering::Relaxed);
    create().unwrap();
    assert!(cluster.separations.obstacle().is_none());
}
