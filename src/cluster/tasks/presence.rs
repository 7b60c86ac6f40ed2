//! The bucket in which workers announce themselves: a worker writes its entry again and again, and servers watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{self, Operation};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::announcement::WorkerAnnouncement;
use super::known_workers::KnownWorkers;
use crate::cluster::bucket_entry::EntryBucket;
use crate::cluster::copies;
use crate::cluster::nats::{Nats, NatsCallError, NatsError};

const BUCKET: EntryBucket = EntryBucket {
    name: "stemwire_workers",
    description: "What the workers of Stemwire compute",
    failure: "this worker cannot announce itself",
};

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
    /// Announces a worker, within a runtime. `worker` is called again for each entry.
    pub fn begin(
        nats: &Nats,
        worker: impl Fn() -> WorkerAnnouncement + Send + 'static,
    ) -> Presence {
        let jetstream = nats.jetstream().clone();
        let key = WorkerAnnouncement::key(&worker().name);
        let (stop, stopped) = watch::channel(false);
        let renewing = BUCKET.keep(nats, key.clone(), move || worker().to_bytes(), stopped);
        Presence { jetstream, key, stop, renewing: tokio::spawn(renewing) }
    }

    /// The announcement is about to be replaced by another one of the worker.
    pub async fn pause(self) {
        // The receiver lives as long as `renewing`.
        let _ = self.stop.send(true);
        // Its panic would have been printed; a call that takes longer is not waited for.
        let _ = timeout(END_TIME, self.renewing).await;
    }

    /// The worker has stopped: it is no longer counted on.
    pub async fn end(self) {
        let Presence { jetstream, key, stop, renewing } = self;
        // The receiver lives as long as `renewing`.
        let _ = stop.send(true);
        let end = async {
            // Its panic would have been printed.
            let _ = renewing.await;
            let bucket = jetstream.get_key_value(BUCKET.name).await.map_err(NatsCallError::of)?;
            bucket.delete(&key).await.map_err(NatsCallError::of)
        };
        if let Ok(Err(error)) = timeout(END_TIME, end).await {
            tracing::debug!(%error, "the entry of this worker ends by itself");
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
    let failed =
        |NatsCallError(problem)| NatsError::Bucket { bucket: BUCKET.name.to_owned(), problem };
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
        let bucket = BUCKET.open(&self.jetstream, self.is_clustered).await?;
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
        let bucket = BUCKET.open(&self.jetstream, self.is_clustered).await?;
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
