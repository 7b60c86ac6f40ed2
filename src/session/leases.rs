//! Which server of a cluster has a session, behind a trait that needs no runtime.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SessionId;

/// How long a lease lasts that is not renewed.
pub const LEASE_TIME: Duration = Duration::from_secs(15);

/// The leases of a cluster. A lease ends [`LEASE_TIME`] after it was last renewed. Every call blocks until there is an answer.
///
/// A lease avoids that two servers compute the same; that they do no harm to each other is ensured by the
/// [`Replica`](super::replica::Replica).
pub trait Leases: fmt::Debug + Send + Sync {
    /// Takes the lease of a session of this server, unless another data folder has it.
    ///
    /// # Errors
    /// [`LeaseError`]; the lease may have been taken.
    fn acquire(&self, session: SessionId, owner: &SessionOwner) -> Result<Acquired, LeaseError>;

    /// The same for a session that another server may have had.
    ///
    /// # Errors
    /// Those of [`Leases::acquire`]; also for [`LEASE_TIME`] after all leases were lost, so that the owners can take theirs again.
    fn take_over(&self, session: SessionId, owner: &SessionOwner) -> Result<Acquired, LeaseError>;

    /// Renews leases; returns one outcome for each, in order.
    ///
    /// # Errors
    /// [`LeaseError`]; some may have been renewed.
    fn renew(
        &self,
        leases: &[HeldLease],
        owner: &SessionOwner,
    ) -> Result<Vec<RenewOutcome>, LeaseError>;

    /// Ends a lease, unless another server has it by now.
    ///
    /// # Errors
    /// [`LeaseError`]; then it ends by itself.
    fn release(&self, lease: HeldLease) -> Result<(), LeaseError>;

    /// Which server has a session; `None` if none has.
    ///
    /// # Errors
    /// [`LeaseError`].
    fn owner(&self, session: SessionId) -> Result<Option<SessionOwner>, LeaseError>;

    /// The sessions that have a lease, and the servers that have announced themselves.
    ///
    /// # Errors
    /// [`LeaseError`].
    fn list(&self) -> Result<LeaseListing, LeaseError>;

    /// Makes a server known to the others for [`LEASE_TIME`].
    ///
    /// # Errors
    /// [`LeaseError`].
    fn announce(&self, server: &SessionOwner) -> Result<(), LeaseError>;

    /// Ends that, as the server stops.
    ///
    /// # Errors
    /// [`LeaseError`]; then it ends by itself.
    fn withdraw(&self, server: &SessionOwner) -> Result<(), LeaseError>;
}

/// The leases and servers of a cluster, in no order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LeaseListing {
    /// The sessions that have a lease.
    pub sessions: Vec<SessionId>,
    /// The servers, of each data folder one.
    pub servers: Vec<SessionOwner>,
}

/// The server that has a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOwner {
    /// The name of its process, which no other has.
    pub name: String,
    /// The name of its data folder, which one process uses at a time.
    pub node: String,
    /// `HOST:PORT` at which the other servers of the cluster reach it.
    pub address: String,
}

impl SessionOwner {
    /// As it is stored.
    ///
    /// # Errors
    /// None for these fields.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LeaseError> {
        serde_json::to_vec(self).map_err(|error| LeaseError { cause: error.to_string() })
    }

    /// From what is stored.
    ///
    /// # Errors
    /// Other bytes.
    pub fn parse(bytes: &[u8]) -> Result<SessionOwner, LeaseError> {
        let invalid = |error| LeaseError { cause: format!("a lease is not readable: {error}") };
        serde_json::from_slice(bytes).map_err(invalid)
    }
}

/// How the leases of a server have changed since its start, other than those of new and ended sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseTotals {
    /// Taken for sessions that another server had, or this one before its start.
    pub taken_over: u64,
    /// Not renewed in time.
    pub expired: u64,
    /// Taken again, or later than the session began, as no other server had them.
    pub regained: u64,
    /// Found with another server, so that the session ended here.
    pub lost: u64,
}

/// A lease that this server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLease {
    /// The session.
    pub session: SessionId,
    /// Changes with each renewal.
    pub revision: u64,
}

/// What became of taking a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// This server has it.
    Held(HeldLease),
    /// Another one has it.
    Elsewhere(SessionOwner),
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewOutcome {
    /// It lasts for another [`LEASE_TIME`].
    Renewed(HeldLease),
    /// It has ended, and another server may have it.
    Lost,
}

/// The leases cannot be read or changed now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the leases of the cluster: {cause}")]
pub struct LeaseError {
    /// What NATS or the system reports.
    pub cause: String,
}

impl LeaseError {
    /// The error that an I/O error reports, if it does.
    pub fn in_error(error: &io::Error) -> Option<&LeaseError> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<LeaseError> for io::Error {
    fn from(error: LeaseError) -> io::Error {
        io::Error::other(error)
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! Leases in memory, which end when a test says so.

    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Leases in memory.
    #[derive(Debug, Default)]
    pub(crate) struct MemoryLeases {
        last: AtomicU64,
        leases: Mutex<BTreeMap<SessionId, (u64, SessionOwner)>>,
        servers: Mutex<BTreeMap<String, SessionOwner>>,
        /// Whether every call fails.
        pub(crate) is_away: AtomicBool,
        /// Whether all leases were lost a short while ago.
        pub(crate) are_new: AtomicBool,
    }

    impl MemoryLeases {
        /// Ends a lease, as if it had not been renewed.
        pub(crate) fn expire(&self, session: SessionId) {
            self.leases.lock().unwrap().remove(&session);
        }

        fn check(&self) -> Result<(), LeaseError> {
            let is_away = self.is_away.load(Ordering::Acquire);
            if is_away { Err(LeaseError { cause: "it is away".into() }) } else { Ok(()) }
        }

        fn write(&self, session: SessionId, owner: &SessionOwner) -> HeldLease {
            let revision = self.last.fetch_add(1, Ordering::AcqRel) + 1;
            self.leases.lock().unwrap().insert(session, (revision, owner.clone()));
            HeldLease { session, revision }
        }

        fn revision(&self, session: SessionId) -> Option<u64> {
            self.leases.lock().unwrap().get(&session).map(|(revision, _)| *revision)
        }
    }

    impl Leases for MemoryLeases {
        fn acquire(
            &self,
            session: SessionId,
            owner: &SessionOwner,
        ) -> Result<Acquired, LeaseError> {
            match self.owner(session)? {
                Some(other) if other.node != owner.node => Ok(Acquired::Elsewhere(other)),
                _ => Ok(Acquired::Held(self.write(session, owner))),
            }
        }

        fn take_over(
            &self,
            session: SessionId,
            owner: &SessionOwner,
        ) -> Result<Acquired, LeaseError> {
            if self.are_new.load(Ordering::Acquire) && self.owner(session)?.is_none() {
                return Err(LeaseError { cause: "they are new".into() });
            }
            self.acquire(session, owner)
        }

        fn renew(
            &self,
            leases: &[HeldLease],
            owner: &SessionOwner,
        ) -> Result<Vec<RenewOutcome>, LeaseError> {
            self.check()?;
            let renew = |lease: &HeldLease| match self.revision(lease.session) {
                Some(revision) if revision == lease.revision => {
                    RenewOutcome::Renewed(self.write(lease.session, owner))
                }
                _ => RenewOutcome::Lost,
            };
            Ok(leases.iter().map(renew).collect())
        }

        fn release(&self, lease: HeldLease) -> Result<(), LeaseError> {
            self.check()?;
            if self.revision(lease.session) == Some(lease.revision) {
                self.expire(lease.session);
            }
            Ok(())
        }

        fn owner(&self, session: SessionId) -> Result<Option<SessionOwner>, LeaseError> {
            self.check()?;
            Ok(self.leases.lock().unwrap().get(&session).map(|(_, owner)| owner.clone()))
        }

        fn list(&self) -> Result<LeaseListing, LeaseError> {
            self.check()?;
            let sessions = self.leases.lock().unwrap().keys().copied().collect();
            let servers = self.servers.lock().unwrap().values().cloned().collect();
            Ok(LeaseListing { sessions, servers })
        }

        fn announce(&self, server: &SessionOwner) -> Result<(), LeaseError> {
            self.check()?;
            self.servers.lock().unwrap().insert(server.node.clone(), server.clone());
            Ok(())
        }

        fn withdraw(&self, server: &SessionOwner) -> Result<(), LeaseError> {
            self.check()?;
            self.servers.lock().unwrap().remove(&server.node);
            Ok(())
        }
    }
}
