//! The removal of a session from the replica, which is recorded there before anything else of the session goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Replication;
use super::session_replica::{Removal, SessionReplica, lock};
use crate::session::replica::ReplicaError;
use crate::session::{SessionError, SessionId};

impl SessionReplica {
    /// Removes the session from the replica, and then its directory. What fails is repeated until it succeeds, or another
    /// server continues the session. Until then it is not read again here.
    pub(in crate::session) fn request_removal(self: &Arc<Self>) {
        *lock(&self.removal) = Removal::Requested;
        lock(&self.replication.removing).insert(self.id, Arc::clone(self));
        self.schedule(Instant::now());
    }

    /// Waits until the session is removed, or at least `limit` has passed and it will be, whatever happens to this server.
    ///
    /// # Errors
    /// Those of the replica; another server continues the session.
    pub(in crate::session) fn wait_for_removal(&self, limit: Duration) -> Result<(), ReplicaError> {
        let waited = self.wait(limit, |_, _| *lock(&self.removal) == Removal::Done);
        waited.or_else(|error| match *lock(&self.removal) {
            Removal::Recorded | Removal::Done => Ok(()),
            Removal::None | Removal::Requested => Err(error),
        })
    }

    /// Why a session that is being removed is not found: there is none once a loss of this server cannot bring it back.
    pub(in crate::session) fn removal_error(&self) -> Option<SessionError> {
        match *lock(&self.removal) {
            Removal::None => None,
            Removal::Requested => {
                let cause = || format!("it has not stored yet that session {} is removed", self.id);
                let outage = self.replication.outage();
                Some(outage.unwrap_or_else(|| ReplicaError { cause: cause() }).into())
            }
            Removal::Recorded | Removal::Done => Some(SessionError::NotFound(self.id)),
        }
    }

    /// Notes how far the removal is; `None` if another server continues the session.
    pub(super) fn set_removal(&self, removal: Removal) {
        *lock(&self.removal) = removal;
        if [Removal::None, Removal::Done].contains(&removal) {
            lock(&self.replication.removing).remove(&self.id);
        }
    }

    pub(super) fn remove_directory(&self) {
        if let Err(error) = self.layout.remove() {
            tracing::error!(session = %self.id, %error, "cannot remove the session");
        }
    }
}

impl Replication {
    /// Why a session that this server is removing is not found.
    pub(in crate::session) fn removal_error(&self, id: SessionId) -> Option<SessionError> {
        let removing = lock(&self.removing).get(&id).cloned();
        removing.and_then(|session| session.removal_error())
    }
}
