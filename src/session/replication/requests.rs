//! Which session a request has created, for all servers of a replica.
//!
//! `requests/REQUEST/N` has the id of a session. They are numbered from 1 without gaps, and each is created exclusively, before
//! the first manifest of its session. The last one counts: the sessions of those before it were never stored, because their
//! server was lost first.

use uuid::Uuid;

use super::Replication;
use super::keys::Keys;
use super::manifest_record::Record;
use super::writer::WriteError;
use crate::session::SessionId;
use crate::session::replica::{CreateOutcome, ReplicaError};

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
            if !self.rule_out(found)? {
                return Err(WriteError::Requested(found));
            }
            number = last + 1;
        }
    }

    /// Releases the request of a session that is still stored and is to be removed, so that no other server takes it for one
    /// that was lost.
    ///
    /// # Errors
    /// Those of the replica.
    pub(super) fn release_request(&self, request: Uuid, id: SessionId) -> Result<(), ReplicaError> {
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

    /// Makes sure that a session which has no owner and is not stored never will be. Returns whether there is none.
    fn rule_out(&self, id: SessionId) -> Result<bool, ReplicaError> {
        if let Some(leases) = &self.leases
            // Without an answer, it may have an owner.
            && !matches!(leases.elsewhere(id), Ok(None))
        {
            return Ok(false);
        }
        let (replica, keys) = (self.replica.as_ref(), Keys(id));
        let is_stored = || {
            let last = Record::last(replica, keys)?;
            Ok(last.is_some_and(|(_, record)| !record.header.removed))
        };
        if is_stored()? {
            return Ok(false);
        }
        // Its owner, if it comes back, finds the session removed. The object goes as those of any removed session do.
        let removed = Record::removed(&self.owner)
            .to_bytes()
            .map_err(|error| ReplicaError { cause: error.to_string() })?;
        match replica.create(&keys.manifest(1), removed)? {
            CreateOutcome::Created => Ok(true),
            CreateOutcome::Exists => Ok(!is_stored()?),
        }
    }
}
