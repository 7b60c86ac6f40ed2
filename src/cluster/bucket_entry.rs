//! Entries of buckets in NATS that are there as long as the processes that write them, again and again.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::kv;
use async_nats::jetstream::stream::StorageType;
use tokio::sync::watch;
use tokio::time::sleep;

use super::copies;
use super::nats::{Nats, NatsCallError};

/// Time after which an entry that is not written again is removed.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);

/// Interval at which an entry is written: two may be lost.
const RENEWAL: Duration = Duration::from_secs(9);

/// Pause after the bucket could not be reached.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A bucket of such entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryBucket {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// What the log says while an entry cannot be written.
    pub(super) failure: &'static str,
}

impl EntryBucket {
    /// The bucket, which is made if there is none.
    pub(super) async fn open(
        &self,
        jetstream: &Context,
        is_clustered: bool,
    ) -> Result<kv::Store, NatsCallError> {
        if let Ok(found) = jetstream.get_key_value(self.name).await {
            return Ok(found);
        }
        let config = kv::Config {
            bucket: self.name.to_owned(),
            description: self.description.to_owned(),
            history: 1,
            max_age: LIFETIME,
            // What is lost with a server is written again.
            storage: StorageType::Memory,
            ..kv::Config::default()
        };
        let create = |num_replicas| {
            jetstream.create_key_value(kv::Config { num_replicas, ..config.clone() })
        };
        copies::create(is_clustered, create).await
    }

    /// Writes an entry, as `value` returns it each time, until `stopped` is true or its sender is gone. The entry stays for its
    /// lifetime.
    pub(super) fn keep(
        self,
        nats: &Nats,
        key: String,
        value: impl Fn() -> Vec<u8> + Send + 'static,
        mut stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (jetstream, is_clustered) = (nats.jetstream().clone(), nats.is_clustered());
        async move {
            let mut was_away = false;
            while !*stopped.borrow() {
                let value = value();
                let written = async {
                    let bucket = self.open(&jetstream, is_clustered).await?;
                    bucket.put(&key, value.into()).await.map_err(NatsCallError::of)
                };
                let pause = match written.await {
                    Ok(_) => {
                        was_away = false;
                        RENEWAL
                    }
                    Err(error) => {
                        if !was_away {
                            tracing::warn!(%error, "{}", self.failure);
                        }
                        was_away = true;
                        BACK_OFF
                    }
                };
                tokio::select! {
                    () = sleep(pause) => {}
                    changed = stopped.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}
