//! What other servers do with the sessions of the same replica: of a cluster, or one that replaces this one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Store;
use super::index::check_request;
use crate::session::leases::{LeaseError, LeaseTotals};
use crate::session::lifecycle::State;
use crate::session::replication::{LeaseKeeper, Replication};
use crate::session::{Layout, Session, SessionError, SessionId, Settings};

/// How long an id without a session is not looked for again.
const ABSENT_TIME: Duration = Duration::from_secs(10);

/// Most such ids.
const MOST_ABSENT: usize = 4096;

/// Ids without a session, which clients have asked for.
#[derive(Debug, Default)]
pub(super) struct AbsentIds(Mutex<HashMap<SessionId, Instant>>);

impl AbsentIds {
    pub(super) fn note(&self, id: SessionId) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= MOST_ABSENT {
            ids.clear();
        }
        ids.insert(id, Instant::now());
    }

    fn forget(&self, id: SessionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn has(&self, id: SessionId) -> bool {
        let ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(&id).is_some_and(|since| since.elapsed() < ABSENT_TIME)
    }
}

impl Store {
    /// Forgets the sessions that other servers continue. They are read again, from the replica, when they are requested.
    pub fn forget_fenced(&self) {
        if self.replication.is_none() {
            return;
        }
        for session in self.all().into_iter().filter(|session| session.is_fenced()) {
            self.forget(&session);
        }
    }

    /// Forgets a session that another server has continued or removed, once its run here has stopped. Returns whether it is
    /// forgotten.
    fn forget(&self, session: &Arc<Session>) -> bool {
        session.release();
        if matches!(session.lifecycle(), State::Queued(_)) || session.lifecycle().has_run() {
            return false;
        }
        session.retire();
        let id = session.id();
        let mut index = self.write();
        // It may be forgotten, and read again, already.
        if index.by_id.get(&id).is_some_and(|found| Arc::ptr_eq(found, session)) {
            index.remove(session);
            index.unread.insert(id);
            drop(index);
            if self.leases().is_some() {
                self.leave_out(id);
            }
        }
        true
    }

    /// The leases of this server's sessions, if it is one of a cluster.
    pub(super) fn leases(&self) -> Option<&LeaseKeeper> {
        self.replication.as_ref().and_then(|replication| replication.leases())
    }

    /// Keeps the lease of a session that is in memory now, or ends it if the session has ended.
    pub(super) fn keep_lease(&self, session: &Session) {
        let (Some(leases), Some(replica)) = (self.leases(), session.replica()) else { return };
        match replica.needs_lease() {
            true => leases.keep(session.id(), replica),
            false => leases.release(session.id()),
        }
    }

    /// Whether a session may be on the disk or in the replica that is not in memory.
    pub(super) fn may_be_unread(&self, id: SessionId) -> bool {
        let index = self.read();
        index.unread.contains(&id)
            || (self.leases().is_some() && !index.has(id) && !self.existing.absent.has(id))
    }

    /// Whether no other server of the cluster can have taken over or removed a session, but a moment ago.
    pub(super) fn is_certain(&self, session: &Session) -> bool {
        let (Some(leases), Some(replica)) = (self.leases(), session.replica()) else { return true };
        match replica.needs_lease() {
            true => leases.is_certain(session.id()),
            false => replica.is_confirmed(),
        }
    }

    /// Refuses a session that another server of the cluster has taken over. One that another one has removed, or continued and
    /// ended, is read again.
    pub(super) fn check_here(&self, session: Arc<Session>) -> Result<Arc<Session>, SessionError> {
        let (id, Some(leases)) = (session.id(), self.leases()) else { return Ok(session) };
        if !session.is_fenced()
            && !self.is_certain(&session)
            && let Some(replica) = session.replica()
        {
            if replica.needs_lease()
                && let Some(owner) = leases.taken_by(id)
            {
                return Err(SessionError::Elsewhere { session: id, owner });
            }
            // Another one may have had the lease since, or have it unseen from here.
            replica.confirm();
        }
        if !session.is_fenced() {
            return Ok(session);
        }
        if session.is_superseded() {
            return Err(SessionError::NotFound(id));
        }
        match leases.elsewhere(id)? {
            Some(owner) => Err(SessionError::Elsewhere { session: id, owner }),
            None if self.forget(&session) => {
                self.read_existing(id)?;
                self.read().find(id)
            }
            // Its run here has not stopped yet.
            None => Err(LeaseError { cause: format!("session {id} is changing hands") }.into()),
        }
    }

    /// The session of a request, as the replica has it. `None` also for one that was lost before it was stored.
    pub(super) fn by_stored_request(
        &self,
        replication: &Replication,
        request: Uuid,
        settings: &Settings,
    ) -> Result<Option<Arc<Session>>, SessionError> {
        let Some(id) = replication.requested(request)? else { return Ok(None) };
        // It may have been stored since it was looked for.
        self.existing.absent.forget(id);
        match self.find(id) {
            Ok(session) => check_request(session, settings).map(Some),
            Err(SessionError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves out the sessions that other servers of the cluster have when all are read.
    pub(super) fn skip_elsewhere(&self) {
        if self.is_loaded() {
            return;
        }
        let Some(leases) = self.leases() else { return };
        // Without an answer, each is asked for.
        for id in leases.all_leased().unwrap_or_default() {
            let is_unread = self.read().unread.contains(&id);
            if is_unread && matches!(leases.elsewhere(id), Ok(Some(_))) {
                self.leave_out(id);
            }
        }
    }

    /// Leaves out a session that has not been read, as another server has it: what it is worth is in the replica.
    pub(super) fn leave_out(&self, id: SessionId) {
        if !self.read().unread.contains(&id) {
            return;
        }
        let _unread = self.existing.lock();
        if self.write().unread.remove(&id) {
            // If it fails, it is replaced when the session is read.
            let _ = Layout::new(&self.sessions_folder, id).remove();
        }
    }

    /// Reads the sessions whose owner in the cluster was lost, as long as `go_on` holds. Returns whether there were any.
    pub fn adopt_orphans(&self, go_on: impl Fn() -> bool) -> bool {
        let Some(leases) = self.leases() else { return false };
        let mut any = false;
        for id in leases.take_ended() {
            let read = if go_on() { self.read_existing(id) } else { return any };
            match read {
                Ok(()) => any = true,
                Err(SessionError::Elsewhere { .. } | SessionError::VersionUnsupported { .. }) => {}
                // It passes.
                Err(_) => leases.return_ended(id),
            }
        }
        any
    }

    /// Looks through the replica: reads the sessions that this server does not have and no other one continues, as long as
    /// `go_on` holds, and forgets those that others have removed.
    pub fn look_through(&self, go_on: impl Fn() -> bool) {
        let Some(replication) = self.replication.as_ref().filter(|_| self.is_shared()) else {
            return;
        };
        let ended = |session: &Arc<Session>| {
            session.replica().is_some_and(|replica| !replica.needs_lease())
        };
        // Before the replica is listed: one that ends meanwhile is not taken for removed.
        let known: Vec<_> = self.all().into_iter().filter(ended).collect();
        let Ok(stored) = replication.sessions() else { return };
        let stored: HashSet<SessionId> = stored.into_iter().collect();
        for session in known.iter().filter(|session| !stored.contains(&session.id())) {
            session.retire();
            self.write().remove(session);
            let _unread = self.existing.lock();
            let _ = session.layout().remove();
        }
        for id in stored {
            if !go_on() {
                return;
            }
            if self.may_be_unread(id) {
                // An error passes, or another server has it.
                let _ = self.read_existing(id);
            }
        }
    }

    /// The addresses of the other servers of the cluster, as far as they are known to run.
    pub fn other_servers(&self) -> Vec<String> {
        let others = self.leases().map(LeaseKeeper::others).unwrap_or_default();
        others.into_iter().map(|server| server.address).collect()
    }

    /// How leases have changed since the start, if this server is one of a cluster.
    pub fn lease_totals(&self) -> Option<LeaseTotals> {
        self.leases().map(LeaseKeeper::totals)
    }

    /// Ends the leases, so that other servers of the cluster continue the sessions at once.
    pub fn end_leases(&self) {
        if let Some(leases) = self.leases() {
            leases.close();
        }
    }

    /// Whether sessions are shared with other servers.
    pub fn is_shared(&self) -> bool {
        self.leases().is_some()
    }
}

#[cfg(test)]
mod tests;
