//! The thread that renews leases and looks for those that have ended.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{KeeperWish, KeptLease, LeaseKeeper, lock};
use crate::session::SessionId;
use crate::session::leases::{
    Acquired, HeldLease, LEASE_TIME, LeaseError, LeaseListing, RenewOutcome,
};

/// Interval of the renewals: two may fail before a lease ends.
const ROUND: Duration = Duration::from_secs(LEASE_TIME.as_secs() / 3);

impl LeaseKeeper {
    /// Renews leases until it is closed.
    pub(super) fn work(&self) {
        self.announce();
        let _ = self.list();
        let mut next = Instant::now() + ROUND;
        loop {
            let time = next.saturating_duration_since(Instant::now());
            let sleeps = |wish: &mut KeeperWish| *wish == KeeperWish::Renew;
            let waited = self.wake.wait_timeout_while(lock(&self.wish), time, sleeps);
            let (mut wish, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *wish == KeeperWish::Close {
                return;
            }
            *wish = KeeperWish::Renew;
            drop(wish);
            self.release_unneeded();
            if next <= Instant::now() {
                next = Instant::now() + ROUND;
                self.round();
            }
        }
    }

    /// Renews leases, takes those that are missing, and lists those of all servers.
    pub(in crate::session) fn round(&self) {
        self.renew();
        self.take_missing();
        self.announce();
        if let Ok(all) = self.list() {
            lock(&self.seen).list(all.into_iter().collect());
        }
    }

    /// As if the leases had not been renewed in time.
    #[cfg(test)]
    pub(in crate::session) fn miss_renewals(&self) {
        lock(&self.kept).values_mut().for_each(|kept| kept.renewed = None);
    }

    fn announce(&self) {
        if *lock(&self.wish) != KeeperWish::Close {
            let _ = self.noted(self.leases.announce(&self.owner));
        }
    }

    /// The sessions that have a lease. Notes the other servers.
    pub(super) fn list(&self) -> Result<Vec<SessionId>, LeaseError> {
        let LeaseListing { sessions, mut servers } = self.noted(self.leases.list())?;
        servers.retain(|server| server.node != self.owner.node);
        *lock(&self.others) = servers;
        Ok(sessions)
    }

    /// Ends the leases of sessions that have ended or are forgotten.
    fn release_unneeded(&self) {
        let is_unneeded = |kept: &KeptLease| match &kept.session {
            None => false,
            Some(session) => session.upgrade().is_none_or(|session| !session.needs_lease()),
        };
        let kept = lock(&self.kept);
        let unneeded = kept.iter().filter(|(_, kept)| is_unneeded(kept));
        let unneeded: Vec<SessionId> = unneeded.map(|(&id, _)| id).collect();
        drop(kept);
        unneeded.into_iter().for_each(|id| self.release(id));
    }

    fn renew(&self) {
        let held: Vec<HeldLease> =
            lock(&self.kept).values().filter_map(|kept| kept.lease).collect();
        let now = Some(Instant::now());
        // While they are away, the store shows whether another server continues a session.
        let Ok(outcomes) = self.noted(self.leases.renew(&held, &self.owner)) else { return };
        let mut kept = lock(&self.kept);
        for (before, outcome) in held.into_iter().zip(outcomes) {
            let Some(entry) = kept.get_mut(&before.session) else { continue };
            (entry.lease, entry.renewed) = match outcome {
                _ if entry.lease != Some(before) => (entry.lease, entry.renewed),
                RenewOutcome::Renewed(lease) => (Some(lease), now),
                RenewOutcome::Lost => {
                    lock(&self.totals).expired += 1;
                    (None, None)
                }
            };
        }
    }

    /// Takes the leases that could not be taken before or were lost. Sessions that another server has end here.
    fn take_missing(&self) {
        let missing = |(&id, kept): (&SessionId, &KeptLease)| {
            Some((id, kept.session.clone().filter(|_| kept.lease.is_none())?))
        };
        let missing: Vec<_> = lock(&self.kept).iter().filter_map(missing).collect();
        for (id, weak) in missing {
            let Some(session) = weak.upgrade() else { continue };
            let now = Some(Instant::now());
            match self.noted(self.leases.acquire(id, &self.owner)) {
                Ok(Acquired::Held(lease)) => {
                    if let Some(kept) = lock(&self.kept).get_mut(&id) {
                        (kept.lease, kept.renewed) = (Some(lease), now);
                    }
                    lock(&self.totals).regained += 1;
                    // Another server may have had it meanwhile.
                    session.check_owner();
                }
                Ok(Acquired::Elsewhere(owner)) => {
                    tracing::error!(session = %id, gateway = owner.address, "another server has the lease of the session; it ends here");
                    lock(&self.kept).remove(&id);
                    lock(&self.totals).lost += 1;
                    session.fence();
                }
                Err(_) => return,
            }
        }
    }
}
