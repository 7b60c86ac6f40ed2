//! Whether another server has changed a session of which this one has something in memory, as the replica shows it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Keys;
use super::session_replica::{SessionReplica, lock};

/// How long an answer of the replica counts: many small calls on a session, as of a player, ask once. So this is also how long
/// a session that another server has removed may be found here.
const CONFIRMED_TIME: Duration = Duration::from_secs(1);

/// How long the replica is waited for.
const CONFIRM_TIME: Duration = Duration::from_secs(2);

impl SessionReplica {
    /// Whether the replica has shown a moment ago that no other server has changed the session.
    pub(in crate::session) fn is_confirmed(&self) -> bool {
        // While it is being found out, it is not known.
        self.confirmed.try_lock().is_ok_and(|confirmed| is_recent(*confirmed))
    }

    /// Ends the session here if another server has removed or continued it, by the manifests in the replica. If the replica
    /// does not answer within [`CONFIRM_TIME`], nothing changes.
    pub(in crate::session) fn confirm(self: &Arc<Self>) {
        // Others wait for the one that asks.
        let mut confirmed = lock(&self.confirmed);
        let begin = Instant::now();
        if is_recent(*confirmed) {
            return;
        }
        let is_current = match self.needs_lease() {
            true => self.is_owner(),
            false => self.is_stored(),
        };
        if is_current {
            *confirmed = Some(begin);
        }
    }

    /// Whether another server has removed or continued the session, by what the replica shows now.
    pub(in crate::session) fn is_taken_away(self: &Arc<Self>) -> bool {
        *lock(&self.confirmed) = None;
        self.confirm();
        self.is_fenced()
    }

    /// Whether the replica has shown that no other server continues the session.
    fn is_owner(self: &Arc<Self>) -> bool {
        self.check_owner();
        // An error is an outage, or that another server does.
        self.wait(CONFIRM_TIME, |_, _| !self.is_owner_uncertain.load(Ordering::Acquire)).is_ok()
    }

    /// Whether the replica has shown that the manifest of a session that has ended is the last one: it is emptied when there is
    /// another one, also of a removal, and a removal takes it away.
    fn is_stored(self: &Arc<Self>) -> bool {
        // While the replica is away, the thread that waits for it finds out.
        if self.is_owner_uncertain.load(Ordering::Acquire) || self.replication.outage().is_some() {
            return false;
        }
        let number = self.durable_number.load(Ordering::Acquire);
        let manifest =
            self.replication.replica.get_within(&Keys(self.id).manifest(number), CONFIRM_TIME);
        match manifest {
            Ok(Some(bytes)) if !bytes.is_empty() => return true,
            // Unless this server has just stored the next one itself.
            Ok(_) if lock(&self.stored).number == number => self.fence(),
            Ok(_) => {}
            Err(_) => self.check_owner(),
        }
        false
    }

    /// As if the replica had not shown that for long.
    #[cfg(test)]
    pub(in crate::session) fn forget_confirmation(&self) {
        *lock(&self.confirmed) = None;
    }
}

fn is_recent(confirmed: Option<Instant>) -> bool {
    confirmed.is_some_and(|since| since.elapsed() < CONFIRMED_TIME)
}
