//! The manifests of a session in the store, of which each is created by one server.

use uuid::Uuid;

use super::keys::Keys;
use super::manifest_record::{Record, RecordHeader};
use super::writer::{Stored, WriteError, Writer};
use crate::session::replica::{CreateOutcome, Replica, ReplicaError};

impl Writer<'_> {
    /// Creates the next manifest, and empties the one before, whose name stays. If the store has it already, with these bytes,
    /// its first answer was lost.
    pub(super) fn create(&self, record: &Record, stored: &mut Stored) -> Result<(), WriteError> {
        let bytes = record.to_bytes()?;
        loop {
            let key = self.keys.manifest(stored.number + 1);
            if self.replica.create(&key, bytes.clone())? == CreateOutcome::Created {
                return self.advance(&key, record.header.removed, stored);
            }
            match self.replica.get(&key)? {
                Some(found) if found == bytes => {
                    return self.advance(&key, record.header.removed, stored);
                }
                Some(found) => {
                    // The answer was lost, too, and the session has changed since: `record` is the one after.
                    let lost = self.own_header(&found).ok_or_else(|| lost_to(&found))?;
                    self.advance(&key, lost.removed, stored)?;
                    let kept = [&record.header.overlap_state, &stored.overlap_state];
                    if let Some(name) = &lost.overlap_state
                        && !kept.contains(&&lost.overlap_state)
                    {
                        // If this fails, it takes space until the session is removed.
                        let _ = self.replica.delete(&self.keys.overlap_state(name));
                    }
                }
                // S3 refuses one of two calls that it has at the same time, whichever will succeed.
                None => {
                    return Err(ReplicaError { cause: format!("{key} is being created") }.into());
                }
            }
        }
    }

    /// The header of a record, if this server has stored it.
    fn own_header(&self, record: &[u8]) -> Option<RecordHeader> {
        let header = Record::parse(record).ok()?.header;
        (header.owner == self.owner).then_some(header)
    }

    /// Counts the manifest that has been created as `key`, and empties the one before.
    fn advance(&self, key: &str, is_removal: bool, stored: &mut Stored) -> Result<(), WriteError> {
        if stored.number > 0 {
            let before = self.keys.manifest(stored.number);
            if self.replica.get(&before)?.is_none() {
                // A removal takes the manifests away in order, so its successor was there, too.
                self.replica.delete(key)?;
                return Err(WriteError::Removed);
            }
            let emptied = self.replica.put(&before, Vec::new());
            // If this fails, it takes space until the session is removed. By an empty one, servers that have the session in memory
            // find out that it is removed.
            if is_removal {
                emptied?;
            }
        }
        stored.number += 1;
        Ok(())
    }

    /// Checks that no other server has stored a manifest, after which it looks for pieces, or has removed the session.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(super) fn check_owner(&self, stored: &Stored) -> Result<(), WriteError> {
        let find = |number| self.replica.get(&self.keys.manifest(number));
        // In this order: a removal takes the manifests away in order.
        if let Some(next) = find(stored.number + 1)?
            // The answer to an own one may have been lost.
            && self.own_header(&next).is_none()
        {
            return Err(lost_to(&next));
        }
        if find(stored.number)?.is_none() { Err(WriteError::Removed) } else { Ok(()) }
    }

    /// Stores the manifest of before with the name of this server, so that no other can store its successor.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(super) fn claim(&self, record: &Record, stored: &mut Stored) -> Result<(), WriteError> {
        let mut record = record.clone();
        record.header.owner = self.owner.to_owned();
        self.create(&record, stored)
    }

    /// Records that the session of a request is removed: from then on no server restores it, and each removes what is left of it.
    ///
    /// # Errors
    /// [`WriteError::Fenced`] if another server continues the session; those of the store, after which it can be called again.
    pub(super) fn record_removal(
        &self,
        request: Option<Uuid>,
        stored: &mut Stored,
    ) -> Result<(), WriteError> {
        match self.create(&Record::removed(self.owner, request), stored) {
            Err(WriteError::Removed) => Ok(()),
            other => other,
        }
    }
}

/// Why a manifest that another server has stored is none to continue from.
fn lost_to(record: &[u8]) -> WriteError {
    match Record::parse(record) {
        Ok(record) if record.header.removed => WriteError::Removed,
        _ => WriteError::Fenced,
    }
}

/// Removes all objects of a session whose last manifest has it as removed, and that manifest at the end.
///
/// # Errors
/// Those of the store.
pub(super) fn remove_objects(replica: &dyn Replica, keys: Keys) -> Result<(), ReplicaError> {
    let mut names = replica.list(&keys.folder())?;
    // Manifests behind the others, in order.
    names.sort_by_key(|name| (name.starts_with("manifest/"), name.clone()));
    for name in names {
        replica.delete(&format!("{}/{name}", keys.folder()))?;
    }
    Ok(())
}
