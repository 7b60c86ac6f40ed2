//! The queue of a gateway's tasks, in JetStream.
//!
//! A notice is published when its task is offered, and again when the queue has lost it. It is lost if its message is gone and the
//! task has no answer: a worker acknowledges only what its owner has accepted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use prost::bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::key::TaskKey;
use super::queue::{QueuedTask, TaskNotice, TaskQueue};
use super::queue_status::QueueStatus;
use super::stream;
use crate::cluster::nats::{Nats, NatsCallError, NatsError};

/// Interval at which notices are published and checked.
const TICK: Duration = Duration::from_millis(500);

/// Time after which it is checked whether the queue still has a notice whose task has no answer.
const CHECK: Duration = Duration::from_secs(5);

/// Interval at which the depth of the queue is measured.
const DEPTH: Duration = Duration::from_secs(1);

/// The JetStream error for a stream that is full, and refuses what is new.
const FULL: u64 = 10_077;

/// Offers tasks by JetStream.
pub struct JetStreamQueue {
    shared: Arc<SharedOffers>,
    /// Runs the loop.
    _nats: Arc<Nats>,
}

/// What the queue and its loop share.
struct SharedOffers {
    owner: String,
    open: Mutex<HashMap<TaskKey, Offer>>,
    /// Wakes the loop when a task is offered, and at the end.
    changed: Notify,
    is_closed: AtomicBool,
    status: Arc<QueueStatus>,
}

/// A task that is offered.
#[derive(Clone)]
struct Offer {
    subject: String,
    payload: Bytes,
    /// Where the stream has its notice; `None` until it is published.
    sequence: Option<u64>,
    /// Publications that the stream has lost.
    lost: u32,
    checked: Instant,
}

impl JetStreamQueue {
    /// The queue of the server that workers reach at `owner`, such as `http://192.0.2.7:8000`. Makes the stream if there is none.
    ///
    /// # Errors
    /// [`NatsError::Queue`]: there is no answer, or the stream has other settings.
    pub fn open(nats: Arc<Nats>, owner: String) -> Result<JetStreamQueue, NatsError> {
        let jetstream = nats.jetstream().clone();
        let is_clustered = nats.is_clustered();
        let opened = nats.wait(stream::open(&jetstream, is_clustered)).flatten();
        opened.map_err(|NatsCallError(problem)| NatsError::Queue(problem))?;
        let shared = Arc::new(SharedOffers {
            owner,
            open: Mutex::default(),
            changed: Notify::new(),
            is_closed: AtomicBool::new(false),
            status: Arc::default(),
        });
        let publisher = Publisher { jetstream, is_clustered, shared: Arc::clone(&shared) };
        nats.spawn(publisher.run());
        Ok(JetStreamQueue { shared, _nats: nats })
    }

    /// What is known of it.
    pub fn status(&self) -> Arc<QueueStatus> {
        Arc::clone(&self.shared.status)
    }
}

impl TaskQueue for JetStreamQueue {
    fn offer(&self, task: QueuedTask) {
        let offer = Offer {
            subject: stream::subject(&task.execution),
            payload: TaskNotice::of(&task, &self.shared.owner).to_bytes().into(),
            sequence: None,
            lost: 0,
            checked: Instant::now(),
        };
        self.shared.lock().insert(task.key, offer);
        self.shared.changed.notify_one();
    }

    fn withdraw(&self, key: TaskKey) {
        self.shared.lock().remove(&key);
    }

    fn depth(&self) -> u64 {
        self.shared.status.depth()
    }

    fn lost(&self) -> u64 {
        self.shared.status.repeated()
    }
}

impl Drop for JetStreamQueue {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

impl SharedOffers {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskKey, Offer>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, wanted: impl Fn(&Offer) -> bool) -> Vec<TaskKey> {
        let open = self.lock();
        open.iter().filter(|(_, offer)| wanted(offer)).map(|(&key, _)| key).collect()
    }

    /// Changes an offer, unless it has been withdrawn.
    fn update(&self, key: TaskKey, change: impl FnOnce(&mut Offer)) {
        if let Some(offer) = self.lock().get_mut(&key) {
            change(offer);
        }
    }
}

/// Keeps the notices of all offers in the stream.
struct Publisher {
    jetstream: Context,
    is_clustered: bool,
    shared: Arc<SharedOffers>,
}

impl Publisher {
    async fn run(self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut may_publish, mut measured) = (true, Instant::now());
        while !self.shared.is_closed.load(Ordering::Acquire) {
            tokio::select! {
                // After a failure there is one attempt with each tick.
                () = self.shared.changed.notified(), if may_publish => {
                    may_publish = self.publish_missing().await;
                }
                _ = ticks.tick() => {
                    may_publish = self.maintain().await;
                    if measured.elapsed() >= DEPTH {
                        self.measure().await;
                        measured = Instant::now();
                    }
                }
            }
        }
    }

    /// Finds out how many notices there are.
    async fn measure(&self) {
        let Ok(stream) = self.jetstream.get_stream_no_info(stream::STREAM).await else { return };
        // While the queue is away, the number is that of before.
        let Ok(info) = stream.get_info().await else { return };
        self.shared.status.depth.store(info.state.messages, Ordering::Relaxed);
    }

    /// Publishes what is missing, and checks what has been in the stream for long. Returns whether the stream takes notices.
    async fn maintain(&self) -> bool {
        if !self.publish_missing().await {
            return false;
        }
        for key in self.shared.keys(|offer| offer.checked.elapsed() >= CHECK) {
            if !self.check(key).await {
                return false;
            }
        }
        true
    }

    /// Publishes what is not in the stream, until that fails.
    async fn publish_missing(&self) -> bool {
        for key in self.shared.keys(|offer| offer.sequence.is_none()) {
            if !self.publish(key).await {
                return false;
            }
        }
        true
    }

    /// Publishes a notice. Returns whether the stream takes notices.
    async fn publish(&self, key: TaskKey) -> bool {
        let Some(offer) = self.shared.lock().get(&key).cloned() else { return true };
        // A publication whose acknowledgement was lost is not repeated.
        let id = format!("{key}-{}", offer.lost);
        let message = PublishMessage::build().payload(offer.payload).message_id(id);
        let sent = match self.jetstream.send_publish(offer.subject, message).await {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        let error = match sent {
            Ok(ack) => {
                self.shared.update(key, |offer| {
                    offer.sequence = Some(ack.sequence);
                    offer.checked = Instant::now();
                });
                self.note(false, None);
                return true;
            }
            Err(error) => error,
        };
        let is_full = is_full(&error);
        let has_no_stream = error.kind() == PublishErrorKind::StreamNotFound;
        self.note(is_full, (!is_full).then(|| NatsCallError::of(error)));
        if has_no_stream {
            self.open_stream().await;
        }
        false
    }

    /// Checks whether the stream still has a notice. Returns whether the stream could be asked.
    async fn check(&self, key: TaskKey) -> bool {
        let Some(offer) = self.shared.lock().get(&key).cloned() else { return true };
        let Some(sequence) = offer.sequence else { return true };
        let found = match self.jetstream.get_stream_no_info(stream::STREAM).await {
            Ok(stream) => stream.get_raw_message(sequence).await,
            Err(_) => return false,
        };
        let has_it = match found {
            // After a loss of all data, the number may be another one's.
            Ok(message) => message.payload == offer.payload,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => false,
            Err(error) => {
                let error = NatsCallError::of(error);
                tracing::debug!(%error, "cannot check a task in the queue");
                self.open_stream().await;
                return false;
            }
        };
        if has_it {
            self.shared.update(key, |offer| offer.checked = Instant::now());
            return true;
        }
        self.shared.update(key, |offer| {
            tracing::warn!(task = %key, "the queue has lost a task, which is offered again");
            offer.sequence = None;
            offer.lost += 1;
            self.shared.status.repeated.fetch_add(1, Ordering::Relaxed);
        });
        self.publish(key).await
    }

    /// Makes the stream anew if it is gone, with all that it had.
    async fn open_stream(&self) {
        if let Err(error) = stream::open(&self.jetstream, self.is_clustered).await {
            self.note(false, Some(error));
        }
    }

    /// Records whether the queue has room and can be reached, and logs changes.
    fn note(&self, is_full: bool, error: Option<NatsCallError>) {
        if self.shared.status.is_full.swap(is_full, Ordering::Relaxed) != is_full {
            tracing::warn!(is_full, "the queue of tasks");
        }
        let was_away = self.shared.status.is_away.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_away => {
                tracing::warn!(%error, "tasks cannot be offered; they wait");
            }
            None if was_away => tracing::info!("tasks can be offered again"),
            _ => {}
        }
    }
}

/// Whether the stream has no room for a message.
fn is_full(error: &async_nats::jetstream::context::PublishError) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    source.is_some_and(|error| error.error_code().0 == FULL)
}
