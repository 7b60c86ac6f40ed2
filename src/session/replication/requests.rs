//! Which session a request has created, for all servers of a replica.
//!
//! `requests/REQUEST/N` has the id of a session. They are numbered from 1 without gaps, and each is created exclusively, before
//! the first manifest of its session. The last one counts: the sessions of those before it were never stored, because their
//! server was lost first. They go once it is recorded that the session is removed, before its objects do.

use uuid::Uuid;

use super::Replication;
use super::keys::Keys;
use super::manifest_chain::remove_objects;
use super::manifest_record::Record;
use super::writer::WriteError;
use crate::session::SessionId;
use crate::session::replica::{CreateOutcome, ReplicaError};

/// What has become of the session of a claim.
enum ClaimedSession {
    /// It is stored, or may be yet.
    Alive,
    /// It is recorded as removed, and its claim goes with it.
    Removed,
    /// It never was and never will be stored.
    Lost,
}

/// The folder of all requests.
const REQUESTS: &str = "requests";

fn folder(request: Uuid) -> String {
    format!("{REQUESTS}/{request}")
}

fn key(request: Uuid, number: u32) -> String {
    format!("{}/{number}", folder(request))
}

impl Replication {
    /// The session of a request. It may have been lost before it was stored.
    ///
    /// # Errors
    /// Those of the replica.
    pub(in crate::session) fn requested(
        &self,
        request: Uuid,
    ) -> Result<Option<SessionId>, ReplicaError> {
        Ok(self.last_claim(request)?.map(|(_, session)| session))
    }

    /// Claims a request for a new session, before it is stored.
    ///
    /// # Errors
    /// [`WriteError::Requested`] if another session has it; those of the replica.
    pub(super) fn claim_request(&self, request: Uuid, id: SessionId) -> Result<(), WriteError> {
        let mut number = 1;
        loop {
            let key = key(request, number);
            if self.replica.create(&key, id.to_string().into_bytes())? == CreateOutcome::Created {
                return Ok(());
            }
            let Some((last, found)) = self.last_claim(request)? else {
                // S3 refuses one of two calls that it has at the same time, whichever will succeed.
                return Err(ReplicaError { cause: format!("{key} is being created") }.into());
            };
            if found == id {
                // Its answer was lost.
                return Ok(());
            }
            number = match self.claimed_session(request, found)? {
                ClaimedSession::Alive => return Err(WriteError::Requested(found)),
                ClaimedSession::Removed => {
                    self.finish_removal(found, Some(request))?;
                    1
                }
                ClaimedSession::Lost => last + 1,
            };
        }
    }

    /// Removes what is left of a session that is recorded as removed: its claims, so that no server takes it for one that was
    /// lost, and then its objects, the record last.
    ///
    /// # Errors
    /// Those of the replica.
    pub(super) fn finish_removal(
        &self,
        id: SessionId,
        request: Option<Uuid>,
    ) -> Result<(), ReplicaError> {
        if let Some(request) = request {
            self.release_request(request, id)?;
        }
        remove_objects(self.replica.as_ref(), Keys(id))
    }

    fn release_request(&self, request: Uuid, id: SessionId) -> Result<(), ReplicaError> {
        // Another session may have it by now.
        let Some((last, found)) = self.last_claim(request)? else { return Ok(()) };
        if found == id {
            // Without a gap at any time.
            for number in (1..=last).rev() {
                self.replica.delete(&key(request, number))?;
            }
        }
        Ok(())
    }

    /// The last number of a request, and its session.
    fn last_claim(&self, request: Uuid) -> Result<Option<(u32, SessionId)>, ReplicaError> {
        loop {
            let names = self.replica.list(&folder(request))?;
            let Some(last) = names.iter().filter_map(|name| name.parse().ok()).max() else {
                return Ok(None);
            };
            // It may have been released meanwhile.
            if let Some(found) = self.replica.get(&key(request, last))? {
                let id = std::str::from_utf8(&found).ok().and_then(|text| text.parse().ok());
                let invalid =
                    || ReplicaError { cause: format!("{} is not readable", key(request, last)) };
                return Ok(Some((last, id.ok_or_else(invalid)?)));
            }
        }
    }

    /// What has become of the session of a claim. Makes sure that one which has no owner and is not stored never will be.
    fn claimed_session(
        &self,
        request: Uuid,
        id: SessionId,
    ) -> Result<ClaimedSession, ReplicaError> {
        let (replica, keys) = (self.replica.as_ref(), Keys(id));
        let stored = || {
            Ok(Record::last(replica, keys)?.map(|(_, record)| match record.header {
                header if !header.removed => ClaimedSession::Alive,
                header if header.request == Some(request) => ClaimedSession::Removed,
                _ => ClaimedSession::Lost,
            }))
        };
        if let Some(found) = stored()? {
            return Ok(found);
        }
        if let Some(leases) = &self.leases
            // Without an answer, it may have an owner.
            && !matches!(leases.elsewhere(id), Ok(None))
        {
            return Ok(ClaimedSession::Alive);
        }
        // Its owner, if it comes back, finds the session removed. The object goes as those of any removed session do.
        let removed = Record::removed(&self.owner, None)
            .to_bytes()
            .map_err(|error| ReplicaError { cause: error.to_string() })?;
        match replica.create(&keys.manifest(1), removed)? {
            CreateOutcome::Created => Ok(ClaimedSession::Lost),
            CreateOutcome::Exists => Ok(stored()?.unwrap_or(ClaimedSession::Alive)),
        }
    }
}
