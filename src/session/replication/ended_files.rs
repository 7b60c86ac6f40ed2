//! The files of a session that are only in the replica, once it has ended.

use std::io;

use super::Keys;
use super::ended_session::EndedSession;
use super::restore::is_complete;
use super::session_replica::{Removal, SessionReplica, lock};
use crate::audio::{Frames, StemName};

impl SessionReplica {
    /// Whether the upload and the stems are only in the replica.
    pub(in crate::session) fn is_absent(&self) -> bool {
        self.absent.are_absent()
    }

    /// Writes the upload and the stems to the disk, if they are only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn fetch(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.fetch(session)).map(drop)
    }

    /// Makes [`SessionReplica::read_stem`] possible, if the stems are only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn prepare_reading(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.prepare(session)).map(drop)
    }

    /// Writes the cover to the disk, if it is only in the replica.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(in crate::session) fn fetch_cover(&self) -> io::Result<()> {
        self.if_absent(|session| self.absent.fetch_cover(session)).map(drop)
    }

    /// Reads `count` frames of a stem, if it is only in the replica; else `None`.
    ///
    /// # Errors
    /// Those of the replica; damage, if it has not all of them.
    pub(in crate::session) fn read_stem(
        &self,
        stem: &StemName,
        start: Frames,
        count: Frames,
    ) -> io::Result<Option<Vec<u8>>> {
        self.if_absent(|session| self.absent.read_stem(session, stem, start, count))
    }

    /// Removes the upload and the stems of a session that has ended from the disk, and what has been made from them, if the
    /// replica has them. Not while they are read. Returns whether it has.
    ///
    /// # Errors
    /// Those of the directory.
    pub(in crate::session) fn discard(&self) -> io::Result<bool> {
        if self.is_fenced() || !self.is_up_to_date() || *lock(&self.removal) != Removal::None {
            return Ok(false);
        }
        match self.ended_session().filter(|session| is_complete(&session.manifest)) {
            Some(session) => self.absent.discard(&session).map(|()| true),
            None => Ok(false),
        }
    }

    fn if_absent<T>(
        &self,
        read: impl FnOnce(&EndedSession) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        if !self.absent.are_absent() {
            return Ok(None);
        }
        self.ended_session().map(|session| read(&session)).transpose()
    }

    /// As the replica has it; `None` if it has no manifest.
    fn ended_session(&self) -> Option<EndedSession<'_>> {
        let stored = lock(&self.stored);
        Some(EndedSession {
            replica: self.replication.replica.as_ref(),
            keys: Keys(self.id),
            layout: &self.layout,
            number: stored.number,
            spans: stored.spans.clone(),
            manifest: stored.manifest.clone()?,
        })
    }
}
