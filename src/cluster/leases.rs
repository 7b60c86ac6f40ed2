//! Leases of sessions, and the servers that have them, in a key-value bucket of JetStream.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use async_nats::jetstream::kv::{self, CreateErrorKind, Operation, UpdateErrorKind};
use async_nats::jetstream::stream::StorageType;
use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::copies;
use super::nats::{Nats, NatsCallError, NatsError, innermost};
use crate::session::SessionId;
use crate::session::leases::{
    Acquired, HeldLease, LEASE_TIME, LeaseError, LeaseListing, Leases, RenewOutcome, SessionOwner,
};

/// The key of an entry that a new bucket has, until it ends as every entry does.
const NEW: &str = "new";

/// What the keys of servers begin with; those of sessions are ids.
const SERVERS: &str = "gateway.";

/// Renewals that are sent before the answers of the first ones.
const RENEWALS_AT_ONCE: usize = 256;

/// Attempts to take a lease that ends or begins meanwhile.
const ATTEMPTS: usize = 3;

/// Leases in a bucket: the session is the key, its owner the value. JetStream removes an entry that is not written again.
#[derive(Debug)]
pub struct NatsLeases {
    nats: Arc<Nats>,
    bucket: kv::Store,
}

impl NatsLeases {
    /// Opens the bucket of the sessions in the object store of this name, and creates it if there is none.
    ///
    /// # Errors
    /// There is no answer, or a bucket of this name with other settings.
    pub fn open(nats: Arc<Nats>, store: &str) -> Result<NatsLeases, NatsError> {
        let name = format!("stemwire_leases_{store}");
        let failed = |NatsCallError(problem)| NatsError::Bucket { bucket: name.clone(), problem };
        let open = async {
            let bucket = open_bucket(&nats, &name).await?;
            copies::raise(nats.jetstream(), nats.is_clustered(), &bucket.stream).await;
            Ok(bucket)
        };
        let bucket = nats.wait(open).flatten().map_err(failed)?;
        Ok(NatsLeases { nats, bucket })
    }

    /// Makes a call, once more if the bucket was gone with the data of the server.
    fn call<T, E, F>(&self, call: impl Fn() -> F) -> Result<T, LeaseError>
    where
        E: Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let failed = |NatsCallError(cause)| LeaseError { cause };
        match self.nats.wait(call()).map_err(failed)? {
            Ok(answer) => Ok(answer),
            Err(_) => {
                let bucket = open_bucket(&self.nats, &self.bucket.name);
                self.nats.wait(bucket).map_err(failed)?.map_err(failed)?;
                let answer = self.nats.wait(call()).map_err(failed)?;
                answer.map_err(|error| LeaseError { cause: innermost(&error) })
            }
        }
    }
}

impl Leases for NatsLeases {
    fn acquire(&self, session: SessionId, owner: &SessionOwner) -> Result<Acquired, LeaseError> {
        let value = owner.to_bytes()?;
        self.call(|| acquire(&self.bucket, session, owner, value.clone()))
    }

    fn take_over(&self, session: SessionId, owner: &SessionOwner) -> Result<Acquired, LeaseError> {
        // One that its owner has ended leaves a mark there.
        let has_entry = self.call(|| self.bucket.entry(session.to_string()))?.is_some();
        if !has_entry && self.call(|| self.bucket.get(NEW))?.is_some() {
            let cause = format!("the leases are new: owners have {LEASE_TIME:?} to take theirs");
            return Err(LeaseError { cause });
        }
        self.acquire(session, owner)
    }

    fn renew(
        &self,
        leases: &[HeldLease],
        owner: &SessionOwner,
    ) -> Result<Vec<RenewOutcome>, LeaseError> {
        let value = owner.to_bytes()?;
        let renew = |&HeldLease { session, revision }: &HeldLease| {
            let value = value.clone().into();
            async move {
                match self.bucket.update(session.to_string(), value, revision).await {
                    Ok(revision) => Ok(RenewOutcome::Renewed(HeldLease { session, revision })),
                    Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                        Ok(RenewOutcome::Lost)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        let mut outcomes = Vec::with_capacity(leases.len());
        for some in leases.chunks(RENEWALS_AT_ONCE) {
            let renewed = self.call(|| async {
                join_all(some.iter().map(renew)).await.into_iter().collect::<Result<Vec<_>, _>>()
            })?;
            outcomes.extend(renewed);
        }
        Ok(outcomes)
    }

    fn release(&self, lease: HeldLease) -> Result<(), LeaseError> {
        let key = lease.session.to_string();
        let release = self.bucket.delete_expect_revision(key, Some(lease.revision));
        let released = self.nats.wait(release);
        // One that another server has by now stays.
        released.map(drop).map_err(|NatsCallError(cause)| LeaseError { cause })
    }

    fn owner(&self, session: SessionId) -> Result<Option<SessionOwner>, LeaseError> {
        let entry = self.call(|| self.bucket.entry(session.to_string()))?;
        let entry = entry.filter(|entry| entry.operation == Operation::Put);
        entry.map(|entry| SessionOwner::parse(&entry.value)).transpose()
    }

    fn list(&self) -> Result<LeaseListing, LeaseError> {
        let (keys, values) = self.call(|| async {
            let keys = self.bucket.keys().await.map_err(NatsCallError::of)?;
            let keys = keys.try_collect::<Vec<String>>().await.map_err(NatsCallError::of)?;
            let servers = keys.iter().filter(|key| key.starts_with(SERVERS));
            let values = join_all(servers.map(|key| self.bucket.get(key.as_str()))).await;
            let values: Result<Vec<_>, _> = values.into_iter().collect();
            Ok::<_, NatsCallError>((keys, values.map_err(NatsCallError::of)?))
        })?;
        let sessions = keys.iter().filter_map(|key| key.parse().ok()).collect();
        // One may have ended meanwhile.
        let servers = values.iter().flatten().map(|value| SessionOwner::parse(value));
        Ok(LeaseListing { sessions, servers: servers.collect::<Result<_, _>>()? })
    }

    fn announce(&self, server: &SessionOwner) -> Result<(), LeaseError> {
        let value = server.to_bytes()?;
        self.call(|| self.bucket.put(server_key(server), value.clone().into())).map(drop)
    }

    fn withdraw(&self, server: &SessionOwner) -> Result<(), LeaseError> {
        self.call(|| self.bucket.delete(server_key(server)))
    }
}

fn server_key(server: &SessionOwner) -> String {
    format!("{SERVERS}{}", server.node)
}

async fn acquire(
    bucket: &kv::Store,
    session: SessionId,
    owner: &SessionOwner,
    value: Vec<u8>,
) -> Result<Acquired, NatsCallError> {
    let key = session.to_string();
    let held = |revision| Ok(Acquired::Held(HeldLease { session, revision }));
    for _ in 0..ATTEMPTS {
        match bucket.create(&key, value.clone().into()).await {
            Ok(revision) => return held(revision),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(NatsCallError::of(error)),
        }
        let entry = bucket.entry(&key).await.map_err(NatsCallError::of)?;
        // It may have ended meanwhile.
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else { continue };
        let invalid = |error: LeaseError| NatsCallError(error.cause);
        let found = SessionOwner::parse(&entry.value).map_err(invalid)?;
        if found.node != owner.node {
            return Ok(Acquired::Elsewhere(found));
        }
        // Of an earlier process on this data folder, or of a call whose answer was lost.
        match bucket.update(&key, value.clone().into(), entry.revision).await {
            Ok(revision) => return held(revision),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
            Err(error) => return Err(NatsCallError::of(error)),
        }
    }
    Err(NatsCallError("the lease changes all the time".to_owned()))
}

/// The bucket of this name, which is created if there is none.
async fn open_bucket(nats: &Nats, name: &str) -> Result<kv::Store, NatsCallError> {
    if let Ok(found) = nats.jetstream().get_key_value(name).await {
        let settings = &found.stream.cached_info().config;
        if settings.max_age != LEASE_TIME || settings.max_messages_per_subject != 1 {
            let text = format!(
                "its entries last {:?} and it keeps {} of each key, where {LEASE_TIME:?} and 1 are needed",
                settings.max_age, settings.max_messages_per_subject
            );
            return Err(NatsCallError(text));
        }
        return Ok(found);
    }
    let config = kv::Config {
        bucket: name.to_owned(),
        description: "Which gateway of Stemwire has a session".to_owned(),
        history: 1,
        max_age: LEASE_TIME,
        // What is lost with a server is made anew by the owners.
        storage: StorageType::Memory,
        ..kv::Config::default()
    };
    let create = |num_replicas| {
        nats.jetstream().create_key_value(kv::Config { num_replicas, ..config.clone() })
    };
    let created = copies::create(nats.is_clustered(), create).await?;
    created.put(NEW, Vec::new().into()).await.map_err(NatsCallError::of)?;
    Ok(created)
}
