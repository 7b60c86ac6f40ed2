//! The bucket in which workers announce themselves: a worker writes its entry again and again, and servers watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{self, Operation};
use async_nats::jetstream::stream::StorageType;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::announcement::WorkerAnnouncement;
use super::known_workers::{KnownWorkers, LIFETIME};
use crate::cluster::copies;
use crate::cluster::nats::{Nats, NatsCallError, NatsError};

/// Name of the bucket.
const BUCKET: &str = "stemwire_workers";

/// Interval at which a worker writes its entry: two may be lost.
const RENEWAL: Duration = Duration::from_secs(9);

/// Pause after the bucket could not be reached.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Interval at which it is checked which workers are lost.
const CHECK: Duration = Duration::from_secs(1);

/// Time without an entry after which the bucket is watched anew, as a watch may hang after a reconnect.
const SILENCE: Duration = Duration::from_secs(20);

/// Time for which the end of an entry is waited for.
const END_TIME: Duration = Duration::from_secs(2);

/// The announcement of a worker, until it is ended.
pub struct Presence {
    jetstream: Context,
    key: String,
    stop: watch::Sender<bool>,
    renewing: JoinHandle<()>,
}

impl Presence {
    /// Announces a worker, within a runtime.
    pub fn begin(nats: &Nats, worker: &WorkerAnnouncement) -> Presence {
        let jetstream = nats.jetstream().clone();
        let (key, value) = (WorkerAnnouncement::key(&worker.name), worker.to_bytes());
        let (stop, stopped) = watch::channel(false);
        let renewing = renew(jetstream.clone(), nats.is_clustered(), key.clone(), value, stopped);
        Presence { jetstream, key, stop, renewing: tokio::spawn(renewing) }
    }

    /// The worker has stopped: it is no longer counted on.
    pub async fn end(self) {
        let Presence { jetstream, key, stop, renewing } = self;
        // The receiver lives as long as `renewing`.
        let _ = stop.send(true);
        let end = async {
            // Its panic would have been printed.
            let _ = renewing.await;
            let bucket = jetstream.get_key_value(BUCKET).await.map_err(NatsCallError::of)?;
            bucket.delete(&key).await.map_err(NatsCallError::of)
        };
        if let Ok(Err(error)) = timeout(END_TIME, end).await {
            tracing::debug!(%error, "the entry of this worker ends by itself");
        }
    }
}

async fn renew(
    jetstream: Context,
    is_clustered: bool,
    key: String,
    value: Vec<u8>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut was_away = false;
    while !*stopped.borrow() {
        let written = async {
            let bucket = open_bucket(&jetstream, is_clustered).await?;
            bucket.put(&key, value.clone().into()).await.map_err(NatsCallError::of)
        };
        let pause = match written.await {
            Ok(_) => {
                was_away = false;
                RENEWAL
            }
            Err(error) => {
                if !was_away {
                    tracing::warn!(%error, "this worker cannot announce itself");
                }
                was_away = true;
                BACK_OFF
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            // It fails only if the presence is dropped, which ends the worker.
            _ = stopped.changed() => return,
        }
    }
}

/// Keeps `known` up to date as long as the connection is there. `changed` is called when workers have come or gone.
///
/// # Errors
/// [`NatsError::Bucket`]: there is no answer, or the bucket has other settings.
pub fn watch_workers(
    nats: &Nats,
    known: Arc<KnownWorkers>,
    changed: impl Fn() + Send + Sync + 'static,
) -> Result<(), NatsError> {
    let failed = |NatsCallError(problem)| NatsError::Bucket { bucket: BUCKET.to_owned(), problem };
    let watcher = Watcher {
        jetstream: nats.jetstream().clone(),
        is_clustered: nats.is_clustered(),
        known,
        changed: Box::new(changed),
    };
    nats.wait(watcher.read()).flatten().map_err(failed)?;
    nats.spawn(watcher.run());
    Ok(())
}

/// Follows the bucket.
struct Watcher {
    jetstream: Context,
    is_clustered: bool,
    known: Arc<KnownWorkers>,
    changed: Box<dyn Fn() + Send + Sync>,
}

impl Watcher {
    /// Reads all entries that there are.
    async fn read(&self) -> Result<(), NatsCallError> {
        let bucket = open_bucket(&self.jetstream, self.is_clustered).await?;
        copies::raise(&self.jetstream, self.is_clustered, &bucket.stream).await;
        let mut keys = bucket.keys().await.map_err(NatsCallError::of)?;
        while let Some(key) = keys.next().await {
            let key = key.map_err(NatsCallError::of)?;
            let entry = bucket.entry(key).await.map_err(NatsCallError::of)?;
            entry.iter().for_each(|entry| self.take(entry));
        }
        Ok(())
    }

    async fn run(self) {
        let mut ticks = interval(CHECK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_away = false;
        loop {
            match self.watch(&mut ticks).await {
                Ok(()) => was_away = false,
                Err(error) => {
                    if !was_away {
                        tracing::warn!(%error, "the workers of the cluster cannot be watched");
                    }
                    was_away = true;
                    sleep(BACK_OFF).await;
                    self.known.prolong();
                }
            }
        }
    }

    /// Watches until there is silence or an error.
    async fn watch(&self, ticks: &mut tokio::time::Interval) -> Result<(), NatsCallError> {
        let bucket = open_bucket(&self.jetstream, self.is_clustered).await?;
        // With all entries that there are.
        let mut entries = bucket.watch_with_history(">").await.map_err(NatsCallError::of)?;
        let mut heard = Instant::now();
        while heard.elapsed() < SILENCE {
            tokio::select! {
                entry = entries.next() => {
                    let ended = || NatsCallError("the watch has ended".to_owned());
                    self.take(&entry.ok_or_else(ended)?.map_err(NatsCallError::of)?);
                    (self.changed)();
                    heard = Instant::now();
                }
                _ = ticks.tick() => {
                    if self.jetstream.client().connection_state() != State::Connected {
                        self.known.prolong();
                    } else if self.known.expire() {
                        (self.changed)();
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&self, entry: &kv::Entry) {
        match entry.operation {
            Operation::Put => match WorkerAnnouncement::from_bytes(&entry.value) {
                Some(worker) => self.known.announced(&worker),
                None => tracing::warn!(key = entry.key, "an entry of the workers cannot be read"),
            },
            Operation::Delete | Operation::Purge => self.known.ended(&entry.key),
        }
    }
}

/// The bucket, which is made if there is none.
async fn open_bucket(jetstream: &Context, is_clustered: bool) -> Result<kv::Store, NatsCallError> {
    if let Ok(found) = jetstream.get_key_value(BUCKET).await {
        return Ok(found);
    }
    let config = kv::Config {
        bucket: BUCKET.to_owned(),
        description: "What the workers of Stemwire compute".to_owned(),
        history: 1,
        max_age: LIFETIME,
        // What is lost with a server is written again by the workers.
        storage: StorageType::Memory,
        ..kv::Config::default()
    };
    let create =
        |num_replicas| jetstream.create_key_value(kv::Config { num_replicas, ..config.clone() });
    copies::create(is_clustered, create).await
}
