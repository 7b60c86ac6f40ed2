//! What the threads of a [`Replication`] do for a session: store what is missing, or remove it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::session_replica::{Removal, SessionReplica, lock};
use super::sync_mark::Mark;
use super::writer::{LocalSession, Stored, WriteError, Writer};
use super::{Keys, Replication};
use crate::session::{Layout, SessionId};

/// Time to the next attempt where a file of the session cannot be read.
const READ_AGAIN: Duration = Duration::from_millis(500);

impl SessionReplica {
    /// Stores or removes the session. Returns when that is to be repeated.
    pub(super) fn work(&self, replication: &Replication) -> Option<Instant> {
        let mut stored = lock(&self.stored);
        let writer = replication.writer(self.id, &self.layout);
        let removal = *lock(&self.removal);
        let local = lock(&self.local).clone();
        let result = match removal {
            Removal::None if self.is_fenced() => return None,
            Removal::None => self
                .check_uncertain_owner(&writer, &stored)
                .and_then(|()| self.claim_request(replication, &local, &stored))
                .and_then(|()| writer.store(&local, &mut stored)),
            Removal::Requested => writer
                .record_removal(local.manifest.settings.request_id, &mut stored)
                .inspect(|()| self.set_removal(Removal::Recorded))
                .and_then(|()| self.finish_removal(replication, &local)),
            Removal::Recorded => self.finish_removal(replication, &local),
            Removal::Done => return None,
        };
        let number = stored.number;
        drop(stored);
        match result {
            Ok(()) => {
                replication.succeeded();
                match removal {
                    Removal::None => self.publish(local, number),
                    Removal::Requested | Removal::Recorded | Removal::Done => {
                        self.remove_directory();
                        self.set_removal(Removal::Done);
                    }
                }
                self.notifier.notify();
                None
            }
            Err(WriteError::Store(error)) => {
                let again = replication.failed(error);
                self.notifier.notify();
                Some(again)
            }
            Err(error @ (WriteError::Fenced | WriteError::Removed)) => {
                // The store has answered.
                replication.succeeded();
                tracing::error!(session = %self.id, "{error}; it ends here");
                self.fence();
                self.set_removal(Removal::None);
                None
            }
            Err(error @ WriteError::Requested(_)) => {
                replication.succeeded();
                tracing::info!(session = %self.id, "{error}: it is created once");
                self.fence();
                None
            }
            // The next state of the session has been published meanwhile, or follows.
            Err(WriteError::Local(_)) if *lock(&self.local).manifest != *local.manifest => {
                Some(Instant::now())
            }
            Err(WriteError::Local(error)) => {
                tracing::error!(session = %self.id, %error, "the session is not stored in the object store");
                Some(Instant::now() + READ_AGAIN)
            }
        }
    }

    fn publish(&self, local: LocalSession, number: u64) {
        let absent = self.absent.are_absent();
        // Without it the directory would be restored at the next start.
        let mark = Mark { manifest: number, absent };
        if let Err(error) = mark.write(&self.layout) {
            tracing::warn!(session = %self.id, %error, "the state of the replica is not recorded");
        }
        *self.durable.write().unwrap_or_else(PoisonError::into_inner) = local;
        self.durable_number.store(number, Ordering::Release);
        if let Some(leases) = self.replication.leases().filter(|_| !self.needs_lease()) {
            leases.wake();
        }
    }

    fn check_uncertain_owner(&self, writer: &Writer, stored: &Stored) -> Result<(), WriteError> {
        if stored.number > 0 && self.is_owner_uncertain.load(Ordering::Acquire) {
            writer.check_owner(stored)?;
            self.is_owner_uncertain.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Claims its request, if it has one, before the session is stored for the first time.
    fn claim_request(
        &self,
        replication: &Replication,
        local: &LocalSession,
        stored: &Stored,
    ) -> Result<(), WriteError> {
        match local.manifest.settings.request_id {
            Some(request) if stored.number == 0 => replication.claim_request(request, self.id),
            _ => Ok(()),
        }
    }

    fn finish_removal(
        &self,
        replication: &Replication,
        local: &LocalSession,
    ) -> Result<(), WriteError> {
        Ok(replication.finish_removal(self.id, local.manifest.settings.request_id)?)
    }
}

impl Replication {
    pub(super) fn writer<'a>(&'a self, id: SessionId, layout: &'a Layout) -> Writer<'a> {
        Writer { replica: self.replica.as_ref(), keys: Keys(id), layout, owner: &self.owner }
    }
}
