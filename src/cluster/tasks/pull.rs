//! The loop of a worker: takes notices from JetStream, one for each of its worker threads, until it is to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Context, Message};
use futures_util::StreamExt;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::away_owners::OwnerAccess;
use super::key::TaskExecution;
use super::lane::Lane;
use super::queue::TaskNotice;
use super::stream;
use super::worker::{ClusterWorker, TaskEnd};
use crate::cluster::nats::{Nats, NatsCallError};
use crate::model::ModelName;

/// Time for which a pull waits at the server. Each is a request of its own: a consumer that has been lost, with a connection or with
/// the server's data, is noticed by the next one.
const PULL_TIME: Duration = Duration::from_secs(3);

/// Pause after the queue could not be reached.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Interval at which a worker shows that it computes a task: two may be lost within [`stream::ACK_WAIT`].
const PROGRESS: Duration = Duration::from_secs(3);

/// Deliveries after which a notice is removed from the queue. If its owner still wants the task, it is offered again.
const MOST_DELIVERIES: i64 = 20;

/// Pause before a task is delivered again whose owner could not be reached.
const RETURN_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause before tasks of a model are taken on which this worker fails. The other workers may have left meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Computes tasks until `stop` becomes true, and then those that it has begun.
pub async fn pull_tasks(nats: &Nats, worker: Arc<ClusterWorker>, stop: watch::Receiver<bool>) {
    let lanes = Arc::new(Semaphore::new(worker.lanes()));
    let mut loops = JoinSet::new();
    for (model, execution) in worker.executions() {
        tracing::info!(%model, %execution, "offering to compute");
        let puller = Puller {
            jetstream: nats.jetstream().clone(),
            is_clustered: nats.is_clustered(),
            worker: Arc::clone(&worker),
            execution,
            model,
            pause: Arc::default(),
            lanes: Arc::clone(&lanes),
            stop: stop.clone(),
        };
        loops.spawn(puller.run());
    }
    while loops.join_next().await.is_some() {}
}

/// Takes the tasks of one execution.
struct Puller {
    jetstream: Context,
    is_clustered: bool,
    worker: Arc<ClusterWorker>,
    execution: TaskExecution,
    model: ModelName,
    pause: Arc<PullPause>,
    lanes: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Puller {
    async fn run(mut self) {
        let mut computing = JoinSet::new();
        let mut was_away = false;
        while !*self.stop.borrow() {
            match self.pull(&mut computing).await {
                Ok(()) => was_away = false,
                Err(error) => {
                    if !was_away {
                        tracing::warn!(%error, "the queue of tasks cannot be reached");
                    }
                    was_away = true;
                    tokio::select! {
                        () = sleep(BACK_OFF) => {}
                        _ = self.stop.changed() => {}
                    }
                }
            }
        }
        while computing.join_next().await.is_some() {}
    }

    /// Takes tasks until the queue fails or the worker is to stop.
    async fn pull(&mut self, computing: &mut JoinSet<()>) -> Result<(), NatsCallError> {
        let stream = stream::open(&self.jetstream, self.is_clustered).await?;
        let consumer = stream::consumer(&stream, &self.execution).await?;
        loop {
            // Only to wait for it: models share the worker threads, and the first one with a task gets it.
            let lane = tokio::select! {
                lane = self.lanes.acquire() => lane,
                _ = self.stop.changed() => return Ok(()),
            };
            drop(lane);
            if let Some(pause) = self.pause.left() {
                tokio::select! {
                    () = sleep(pause) => continue,
                    _ = self.stop.changed() => return Ok(()),
                }
            }
            if let Some(message) = next(&consumer).await? {
                self.take(message, computing).await;
            }
            while computing.try_join_next().is_some() {}
            if *self.stop.borrow() {
                return Ok(());
            }
        }
    }

    /// Computes a task, unless all worker threads have got others meanwhile, or its owner is away.
    async fn take(&self, message: Message, computing: &mut JoinSet<()>) {
        if *self.stop.borrow() {
            return answer(&message, AckKind::Nak(None)).await;
        }
        let deliveries = message.info().map_or(0, |info| info.delivered);
        let notice = TaskNotice::from_bytes(&message.payload);
        let Some(notice) = notice.filter(|_| deliveries <= MOST_DELIVERIES) else {
            return answer(&message, AckKind::Term).await;
        };
        let lane = match self.worker.access(&notice.owner) {
            OwnerAccess::Open => Lane::free(&self.lanes).ok_or(None),
            OwnerAccess::Probe => Ok(Lane::later(&self.lanes)),
            OwnerAccess::Away(time) => Err(Some(time)),
        };
        let lane = match lane {
            Ok(lane) => lane,
            Err(pause) => return answer(&message, AckKind::Nak(pause)).await,
        };
        let (worker, pause) = (Arc::clone(&self.worker), Arc::clone(&self.pause));
        let model = self.model.clone();
        computing.spawn(async move {
            let end = {
                let progress = show_progress(&message);
                tokio::select! {
                    end = worker.compute(&notice, lane) => end,
                    never = progress => never,
                }
            };
            let task = notice.key;
            let kind = match end {
                TaskEnd::Answered => AckKind::Ack,
                TaskEnd::NotWanted(reason) => {
                    tracing::info!(%task, reason, "the task is not wanted any more");
                    AckKind::Term
                }
                TaskEnd::Returned => AckKind::Nak(None),
                // It is delivered to this one again if no other worker is free.
                TaskEnd::PassedOver(Duration::ZERO) => AckKind::Nak(Some(RETURN_PAUSE)),
                TaskEnd::PassedOver(left) => {
                    if pause.begin(left.min(LONGEST_PAUSE)) {
                        tracing::warn!(%model, owner = notice.owner, seconds = left.as_secs_f64(), "this worker is passed over, as it fails on the model");
                    }
                    AckKind::Nak(None)
                }
                TaskEnd::OwnerAway(reason) => {
                    tracing::warn!(%task, owner = notice.owner, reason, "no answer of the owner");
                    // Others may reach it.
                    AckKind::Nak(Some(RETURN_PAUSE))
                }
            };
            answer(&message, kind).await;
        });
    }
}

/// Until when no task of a model is taken.
#[derive(Default)]
struct PullPause(Mutex<Option<Instant>>);

impl PullPause {
    /// Begins a pause from now on. Returns whether there was none.
    fn begin(&self, pause: Duration) -> bool {
        let was_none = self.left().is_none();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause);
        was_none
    }

    /// What is left of it.
    fn left(&self) -> Option<Duration> {
        let until = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// The next message, or none within the time of a pull.
async fn next(consumer: &PullConsumer) -> Result<Option<Message>, NatsCallError> {
    // Without heartbeats, of which async-nats 0.51 may miss the message that follows.
    let batch = consumer.batch().max_messages(1).expires(PULL_TIME).messages();
    let mut batch = batch.await.map_err(NatsCallError::of)?;
    batch.next().await.transpose().map_err(|error| NatsCallError(error.to_string()))
}

/// Keeps a message from being delivered to another worker. What it accompanies ends within the time limits of engines and calls.
async fn show_progress(message: &Message) -> TaskEnd {
    let mut ticks = interval(PROGRESS);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        answer(message, AckKind::Progress).await;
    }
}

async fn answer(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        // It is delivered again, and refused by its owner.
        tracing::debug!(%error, "a task cannot be acknowledged");
    }
}
