//! Keeps the sessions of a store in a [`Replica`], too, from where another server can continue them.
//!
//! A [`SessionReplica`] knows what of its session is in the replica; threads store what is missing: first pieces of the upload
//! and of the stems, and the overlap state, then the manifest that refers to them ([`writer`]), under [`keys`] whose
//! [manifests](manifest_record) are numbered and created exclusively. So a server that continues a session which another one has continued
//! finds that out at its next manifest. [`restore`] writes a session back to the disk; what has no meaning without the process
//! that made it, or can be made from the upload (the decoded track, peaks, FLAC files), is not stored.

mod attach;
mod confirmation;
mod ended_files;
mod ended_session;
mod keys;
mod lease_keeper;
mod manifest_chain;
mod manifest_record;
mod queue;
mod removals;
mod requests;
mod restore;
mod seen_leases;
mod session_replica;
mod session_work;
mod sync_mark;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::SessionId;
use super::leases::{Leases, SessionOwner};
use super::replica::{Replica, ReplicaError, ReplicaObserver};
use keys::{Keys, SESSIONS};
use queue::WorkQueue;

pub(super) use attach::Attached;
pub(super) use lease_keeper::LeaseKeeper;
pub(super) use session_replica::{Position, SessionReplica};

/// Threads that store sessions: each waits for the answers of one call at a time.
const THREADS: usize = 8;

/// How long an outage may last before calls that wait for the replica are refused.
const SHORT_OUTAGE: Duration = Duration::from_secs(2);

/// Time to the first retry of a failed call; doubles up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// The replica of a store's sessions.
pub(super) struct Replication {
    replica: Arc<dyn Replica>,
    /// The name of this server, which no other has.
    owner: String,
    /// `None` outside a cluster.
    leases: Option<Arc<LeaseKeeper>>,
    queue: WorkQueue<SessionReplica>,
    /// The sessions that are being removed.
    removing: Mutex<HashMap<SessionId, Arc<SessionReplica>>>,
    /// Whether there is an outage.
    is_away: AtomicBool,
    outage: Mutex<Option<Outage>>,
}

/// How a server takes part in a cluster.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) leases: Arc<dyn Leases>,
    /// The name of its data folder.
    pub(super) node: String,
    /// `HOST:PORT` at which the others reach it.
    pub(super) address: String,
}

/// A time without a successful call.
#[derive(Debug)]
struct Outage {
    error: ReplicaError,
    since: Instant,
    /// Failures in a row.
    failures: u32,
}

impl fmt::Debug for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replication").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl Replication {
    /// Starts the threads. In a cluster, sessions have leases.
    ///
    /// # Errors
    /// Errors of the operating system when a thread is started.
    pub(super) fn start(
        replica: Arc<dyn Replica>,
        membership: Option<Membership>,
    ) -> io::Result<Arc<Replication>> {
        let owner = SessionId::random().to_string();
        let keep = |Membership { leases, node, address }| {
            LeaseKeeper::start(leases, SessionOwner { name: owner.clone(), node, address })
        };
        let leases = membership.map(keep).transpose()?;
        let replication = Arc::new(Replication {
            replica,
            owner,
            leases,
            queue: WorkQueue::default(),
            removing: Mutex::default(),
            is_away: AtomicBool::new(false),
            outage: Mutex::default(),
        });
        for _ in 0..THREADS {
            let working = Arc::clone(&replication);
            let thread = std::thread::Builder::new().name("replica".into());
            thread.spawn(move || working.work())?;
        }
        Ok(replication)
    }

    /// Reports calls of the replica to `observer`.
    pub(super) fn observe(&self, observer: Arc<dyn ReplicaObserver>) {
        self.replica.observe(observer);
    }

    /// The name of the replica.
    ///
    /// # Errors
    /// Those of the replica.
    pub(super) fn identity(&self) -> Result<String, ReplicaError> {
        self.replica.identity()
    }

    /// The leases of this server's sessions, if it is one of a cluster.
    pub(super) fn leases(&self) -> Option<&LeaseKeeper> {
        self.leases.as_deref()
    }

    /// The sessions in the replica.
    ///
    /// # Errors
    /// Those of the replica.
    pub(super) fn sessions(&self) -> Result<Vec<SessionId>, ReplicaError> {
        let names = self.replica.folders(SESSIONS)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The last error, while there is an outage.
    pub(super) fn outage(&self) -> Option<ReplicaError> {
        if !self.is_away.load(Ordering::Acquire) {
            return None;
        }
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().map(|outage| outage.error.clone())
    }

    /// The same, once the outage has lasted for so long that calls are refused.
    fn lasting_outage(&self) -> Option<ReplicaError> {
        let error = self.outage()?;
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().filter(|outage| outage.since.elapsed() >= SHORT_OUTAGE).map(|_| error)
    }

    /// Stores what is missing, as far as there is time. Returns whether all is stored.
    pub(super) fn drain(&self, deadline: Instant) -> bool {
        self.queue.drain(deadline)
    }

    /// Ends the threads once their calls have returned.
    pub(super) fn close(&self) {
        self.queue.close();
        if let Some(leases) = &self.leases {
            leases.close();
        }
    }

    /// Stores sessions until the queue is closed.
    fn work(self: Arc<Replication>) {
        while let Some((id, session)) = self.queue.take() {
            let again = session.work(&self);
            self.queue.give_back(id, again);
        }
    }

    /// Notes that a call has failed. Returns when it is to be repeated.
    fn failed(&self, error: ReplicaError) -> Instant {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = outage.as_ref().map_or(0, |outage| outage.failures);
        if failures == 0 {
            tracing::error!(%error, "the object store is away: sessions wait for it");
        }
        let since = outage.as_ref().map_or_else(Instant::now, |outage| outage.since);
        *outage = Some(Outage { error, since, failures: failures.saturating_add(1) });
        self.is_away.store(true, Ordering::Release);
        Instant::now() + FIRST_RETRY.saturating_mul(1 << failures.min(8)).min(LONGEST_RETRY)
    }

    /// Notes that calls succeed.
    fn succeeded(&self) {
        if self.is_away.swap(false, Ordering::AcqRel) {
            *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!("the object store is back");
        }
    }
}

#[cfg(test)]
mod tests;
