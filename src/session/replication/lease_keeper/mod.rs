//! Keeps the leases of this server's sessions, and finds sessions whose lease has ended.

mod rounds;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::SessionReplica;
use super::seen_leases::SeenLeases;
use crate::session::SessionId;
use crate::session::leases::{
    Acquired, HeldLease, LEASE_TIME, LeaseError, LeaseTotals, Leases, SessionOwner,
};

/// The leases of this server's sessions, which a thread renews.
pub(in crate::session) struct LeaseKeeper {
    leases: Arc<dyn Leases>,
    owner: SessionOwner,
    kept: Mutex<HashMap<SessionId, KeptLease>>,
    seen: Mutex<SeenLeases>,
    /// The other servers, as of the last listing.
    others: Mutex<Vec<SessionOwner>>,
    wake: Condvar,
    wish: Mutex<KeeperWish>,
    /// Whether the last call has failed.
    is_away: AtomicBool,
    totals: Mutex<LeaseTotals>,
}

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeeperWish {
    Renew,
    /// Before the next renewal, end leases that are not needed.
    Release,
    Close,
}

/// A lease of a session of this server.
struct KeptLease {
    /// `None` while it could not be taken.
    lease: Option<HeldLease>,
    /// When it was last taken or renewed.
    renewed: Option<Instant>,
    /// `None` while the session is being read.
    session: Option<Weak<SessionReplica>>,
}

impl fmt::Debug for LeaseKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseKeeper").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl LeaseKeeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// Errors of the operating system when a thread is started.
    pub(super) fn start(
        leases: Arc<dyn Leases>,
        owner: SessionOwner,
    ) -> io::Result<Arc<LeaseKeeper>> {
        let keeper = Arc::new(LeaseKeeper {
            leases,
            owner,
            kept: Mutex::default(),
            seen: Mutex::default(),
            others: Mutex::default(),
            wake: Condvar::new(),
            wish: Mutex::new(KeeperWish::Renew),
            is_away: AtomicBool::new(false),
            totals: Mutex::default(),
        });
        let working = Arc::clone(&keeper);
        std::thread::Builder::new().name("leases".into()).spawn(move || working.work())?;
        Ok(keeper)
    }

    /// The other server that has a session. `None` if none or this one has it.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub(in crate::session) fn elsewhere(
        &self,
        id: SessionId,
    ) -> Result<Option<SessionOwner>, LeaseError> {
        if lock(&self.kept).get(&id).is_some_and(|kept| kept.lease.is_some()) {
            return Ok(None);
        }
        let owner = self.noted(self.leases.owner(id))?;
        Ok(owner.filter(|owner| owner.node != self.owner.node))
    }

    /// Whether this server is certain to have a session of its own: its lease was renewed in time. If it was not, as after this
    /// server was stopped or cut off, another one may have taken the session over.
    pub(in crate::session) fn is_certain(&self, id: SessionId) -> bool {
        lock(&self.kept).get(&id).is_none_or(|kept| {
            let renewed = kept.lease.and(kept.renewed);
            renewed.is_some_and(|renewed| renewed.elapsed() < LEASE_TIME)
        })
    }

    /// The other server that has the lease of a session of this one; `None` if none has it, or while the leases are away.
    pub(in crate::session) fn taken_by(&self, id: SessionId) -> Option<SessionOwner> {
        if self.is_away.load(Ordering::Acquire) {
            return None;
        }
        let owner = self.noted(self.leases.owner(id)).ok().flatten();
        owner.filter(|owner| owner.node != self.owner.node)
    }

    /// Takes the lease of a session that is to be read. Returns the other server that has it.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub(super) fn take_over(&self, id: SessionId) -> Result<Option<SessionOwner>, LeaseError> {
        let renewed = Some(Instant::now());
        match self.leases.take_over(id, &self.owner)? {
            Acquired::Held(lease) => {
                let kept = KeptLease { lease: Some(lease), renewed, session: None };
                lock(&self.kept).insert(id, kept);
                lock(&self.totals).taken_over += 1;
                Ok(None)
            }
            Acquired::Elsewhere(other) => Ok(Some(other)),
        }
    }

    /// Keeps the lease of a session from now on, and takes it if that is still to be done: while the leases are away, as soon as
    /// they are back.
    pub(in crate::session) fn keep(&self, id: SessionId, session: &Arc<SessionReplica>) {
        let has_lease = lock(&self.kept).get(&id).is_some_and(|kept| kept.lease.is_some());
        let (mut lease, now) = (None, Some(Instant::now()));
        if !has_lease && let Ok(Acquired::Held(taken)) = self.leases.acquire(id, &self.owner) {
            lease = Some(taken);
        }
        let mut kept = lock(&self.kept);
        let new = KeptLease { lease: None, renewed: None, session: None };
        let entry = kept.entry(id).or_insert(new);
        entry.renewed = if entry.lease.is_some() { entry.renewed } else { lease.and(now) };
        entry.lease = entry.lease.or(lease);
        entry.session = Some(Arc::downgrade(session));
    }

    /// Ends the lease of a session. If that fails, it ends by itself.
    pub(in crate::session) fn release(&self, id: SessionId) {
        let kept = lock(&self.kept).remove(&id);
        if let Some(lease) = kept.and_then(|kept| kept.lease) {
            let _ = self.noted(self.leases.release(lease));
        }
    }

    /// Looks for sessions that need no lease any more, soon.
    pub(super) fn wake(&self) {
        let mut wish = lock(&self.wish);
        if *wish == KeeperWish::Renew {
            *wish = KeeperWish::Release;
            self.wake.notify_all();
        }
    }

    /// Ends all leases, so that other servers continue the sessions at once, and the thread.
    pub(in crate::session) fn close(&self) {
        let before = std::mem::replace(&mut *lock(&self.wish), KeeperWish::Close);
        self.wake.notify_all();
        if before != KeeperWish::Close {
            let ids: Vec<SessionId> = lock(&self.kept).keys().copied().collect();
            ids.into_iter().for_each(|id| self.release(id));
            // If it fails, the others find out by themselves.
            let _ = self.noted(self.leases.withdraw(&self.owner));
        }
    }

    /// The sessions whose lease has ended since the last call.
    pub(in crate::session) fn take_ended(&self) -> Vec<SessionId> {
        let ended = std::mem::take(&mut lock(&self.seen).ended);
        let kept = lock(&self.kept);
        ended.into_iter().filter(|id| !kept.contains_key(id)).collect()
    }

    /// How leases have changed since the start.
    pub(in crate::session) fn totals(&self) -> LeaseTotals {
        *lock(&self.totals)
    }

    /// The other servers of the cluster that could be called a short while ago.
    pub(in crate::session) fn others(&self) -> Vec<SessionOwner> {
        lock(&self.others).clone()
    }

    /// Returns a session with the next call of [`LeaseKeeper::take_ended`] again.
    pub(in crate::session) fn return_ended(&self, id: SessionId) {
        lock(&self.seen).ended.insert(id);
    }

    /// The sessions that have a lease.
    ///
    /// # Errors
    /// [`LeaseError`].
    pub(in crate::session) fn all_leased(&self) -> Result<Vec<SessionId>, LeaseError> {
        let all = self.list()?;
        lock(&self.seen).last.extend(&all);
        Ok(all)
    }

    /// Notes whether calls succeed.
    fn noted<T>(&self, result: Result<T, LeaseError>) -> Result<T, LeaseError> {
        let was_away = self.is_away.swap(result.is_err(), Ordering::AcqRel);
        match &result {
            Err(error) if !was_away => tracing::error!(%error, "leases cannot be renewed"),
            Ok(_) if was_away => tracing::info!("leases can be renewed again"),
            _ => {}
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
