//! Makes the directory of a session current before it is continued: what the replica has decides.

use std::fs;
use std::io;
use std::sync::Arc;

use super::manifest_record::Record;
use super::restore::{Restorer, is_complete};
use super::session_replica::Position;
use super::sync_mark::Mark;
use super::writer::{LocalSession, Stored, WriteError};
use super::{Keys, Replication};
use crate::session::leases::{LeaseError, SessionOwner};
use crate::session::manifest::{Manifest, ManifestError};
use crate::session::replica::ReplicaError;
use crate::session::{Layout, SessionId};

/// What there is of a session on the disk and in the replica.
pub(in crate::session) enum Attached {
    /// Nothing: it was removed by another server.
    Nothing,
    /// A session that is removed, and whose objects the replica does not remove now.
    Removed(ReplicaError),
    /// What another server of the cluster continues.
    Elsewhere(SessionOwner),
    /// A session that a later version has stored, and the version of its manifest.
    Newer(u32),
    /// A directory, which is current now.
    Directory(Position),
}

impl Replication {
    /// Makes the directory of a session current: it stays if the replica has nothing newer, else it is restored. In a cluster,
    /// the lease of one that has not ended is taken first.
    ///
    /// # Errors
    /// Those of the replica, of the leases and of the directory, which pass.
    pub(in crate::session) fn attach(
        &self,
        id: SessionId,
        layout: &Layout,
    ) -> io::Result<Attached> {
        let (keys, replica) = (Keys(id), self.replica.as_ref());
        let mut last = Record::last(replica, keys)?;
        if let Some(leases) = &self.leases
            && last.as_ref().is_some_and(|(_, record)| needs_lease(record))
        {
            if let Some(owner) = leases.take_over(id)? {
                return Ok(Attached::Elsewhere(owner));
            }
            // Its owner may have stored more before the lease ended.
            last = Record::last(replica, keys)?;
        }
        let mark = Mark::read(layout);
        let Some((number, record)) = last else {
            return Ok(match mark {
                Some(_) => Attached::Nothing,
                // It was created before there was a replica.
                None => Attached::Directory(Position::new()),
            });
        };
        if record.header.removed {
            // The server that has recorded it may be lost.
            return Ok(self
                .finish_removal(id, record.header.request)
                .map_or_else(Attached::Removed, |()| Attached::Nothing));
        }
        let manifest = match record.manifest() {
            Ok(manifest) => manifest,
            Err(ManifestError::Newer { version }) => return Ok(Attached::Newer(version)),
            Err(error) => return Err(io::Error::other(error)),
        };
        let mut stored = Stored {
            number,
            spans: record.header.spans.clone(),
            frames: manifest.commit.stems.0,
            overlap_state: record.header.overlap_state.clone(),
            cover: manifest.source.as_ref().and_then(|source| source.cover_crc32c),
            ..Stored::default()
        };
        let (complete, writer) = (is_complete(&manifest), self.writer(id, layout));
        let lost = |error| match error {
            WriteError::Store(error) => error.into(),
            WriteError::Local(error) => error,
            // The next attempt finds which server has it, or that it is removed.
            error => {
                LeaseError { cause: format!("session {id} is changing hands: {error}") }.into()
            }
        };
        let restorer = Restorer { replica, keys, spans: &record.header.spans };
        let is_marked = mark.is_some_and(|mark| mark.manifest == number);
        let mut uploaded = match manifest.upload.total {
            Some(total) => total,
            None if complete => manifest.upload.stored.map_or(0, |prefix| prefix.bytes),
            None if is_marked => restorer.uploaded()?,
            None => 0,
        };
        let is_current = is_marked && has_all(layout, uploaded);
        if !is_current && !complete {
            // Before its pieces are listed, so that no other server has more acknowledged than they are.
            writer.claim(&record, &mut stored).map_err(lost)?;
        }
        let restored = if is_current {
            Ok(uploaded)
        } else {
            tracing::info!(session = %id, "restoring the session from the object store");
            restorer.directory(&record, &manifest, layout)
        };
        if !complete {
            // Before an error counts: what is missing may have been replaced or removed by another server, and is no damage.
            writer.check_owner(&stored).map_err(lost)?;
        }
        uploaded = restored?;
        if !is_current {
            Mark { manifest: stored.number, absent: complete }.write(layout)?;
        }
        let is_absent = Mark::read(layout).is_some_and(|mark| mark.absent);
        let manifest = Arc::new(manifest);
        (stored.bytes, stored.checked) = (uploaded, uploaded);
        stored.manifest = Some(Arc::clone(&manifest));
        let durable = Some(LocalSession { manifest, uploaded });
        Ok(Attached::Directory(Position { stored, durable, is_absent }))
    }
}

/// Whether one server continues the session: it has not ended, and is not removed.
fn needs_lease(record: &Record) -> bool {
    !record.header.removed && record.manifest().is_ok_and(|manifest| !is_complete(&manifest))
}

/// Whether a directory has a manifest, and this many bytes of the upload: the power may have been lost since they were stored.
fn has_all(layout: &Layout, uploaded: u64) -> bool {
    let length = fs::metadata(layout.upload()).map_or(0, |metadata| metadata.len());
    Manifest::read(&layout.manifest()).is_ok() && length >= uploaded
}
