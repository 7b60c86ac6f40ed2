//! What of a session survives the loss of this machine, and so may be acknowledged and delivered. Without a replica, that is
//! what is on the disk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{FoundDamage, Progress, Session, lock};
use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, Frames, StemName};
use crate::session::leases::LeaseError;
use crate::session::manifest::Announced;
use crate::session::replica::ReplicaError;
use crate::session::replication::SessionReplica;
use crate::session::{Manifest, SessionError, SessionState};

/// How long a call waits for the replica. Then it is refused, and can be repeated.
const CALL_TIME: Duration = Duration::from_secs(10);

/// Interval at which a run that waits for the replica checks whether it is to stop.
const STOP_CHECK: Duration = Duration::from_secs(1);

/// Bytes of an upload that may be stored only on the disk.
const MOST_AHEAD: u64 = 16 << 20;

impl Session {
    /// The manifest that may be shown to clients.
    pub fn durable_manifest(&self) -> Arc<Manifest> {
        match &self.replica {
            None => self.manifest(),
            Some(replica) => replica.durable_manifest(),
        }
    }

    /// Bytes of the upload that may be acknowledged.
    pub fn durable_bytes(&self) -> u64 {
        match &self.replica {
            None => self.uploaded(),
            Some(replica) => replica.durable_bytes(),
        }
    }

    /// The state that may be shown to clients.
    pub fn durable_state(&self) -> SessionState {
        self.durable_manifest().state()
    }

    /// The progress that may be shown to clients.
    pub fn durable_progress(&self) -> Progress {
        self.progress_by(&self.durable_manifest())
    }

    /// Whether another server continues the session, so that it ends here.
    pub fn is_fenced(&self) -> bool {
        self.replica().is_some_and(|replica| replica.is_fenced())
    }

    /// Whether its files are missing because another server has removed or continued it, rather than damaged.
    pub(in crate::session) fn is_taken_away(&self) -> bool {
        self.replica().is_some_and(|replica| replica.is_taken_away())
    }

    /// The error of calls once its files are gone: it was removed, or another server continues it.
    pub fn gone(&self) -> SessionError {
        if self.is_fenced() {
            return LeaseError { cause: format!("session {} has changed hands", self.id) }.into();
        }
        let removal = self.replica().and_then(|replica| replica.removal_error());
        removal.unwrap_or(SessionError::NotFound(self.id))
    }

    /// Whether another session has its request, so that no client gets to know this one.
    pub fn is_superseded(&self) -> bool {
        self.replica().is_some_and(|replica| replica.is_superseded())
    }

    /// Waits until a session that was created is durable.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn wait_until_created(&self) -> Result<(), ReplicaError> {
        self.replica().map_or(Ok(()), |replica| replica.wait_until_created(CALL_TIME))
    }

    /// Waits until all that has been uploaded is durable. Returns the number of bytes.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn wait_for_upload(&self) -> Result<u64, ReplicaError> {
        let uploaded = self.uploaded();
        if let Some(replica) = &self.replica {
            replica.flush();
            replica.wait(CALL_TIME, |_, bytes| bytes >= uploaded)?;
        }
        Ok(uploaded)
    }

    /// Waits until what a client has announced is durable.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn wait_for_announced(&self, announced: &Announced) -> Result<(), ReplicaError> {
        let Some(replica) = self.replica().filter(|_| self.manifest().announced == *announced)
        else {
            return Ok(());
        };
        replica.wait(CALL_TIME, |manifest, _| manifest.announced == *announced)
    }

    /// Waits until the end of the upload is durable.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn wait_for_end_of_upload(&self) -> Result<(), ReplicaError> {
        let is_over =
            |manifest: &Manifest| manifest.upload_complete() || manifest.state().is_ended();
        self.replica()
            .map_or(Ok(()), |replica| replica.wait(CALL_TIME, |manifest, _| is_over(manifest)))
    }

    /// Waits until an end that the session has come to is durable.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn wait_until_ended(&self) -> Result<(), ReplicaError> {
        let Some(replica) = self.replica().filter(|_| self.state().is_ended()) else {
            return Ok(());
        };
        replica.wait(CALL_TIME, |manifest, _| manifest.state().is_ended())
    }

    /// Waits while too much of the upload is not durable.
    ///
    /// # Errors
    /// Those of the replica.
    pub fn limit_upload(&self) -> Result<(), ReplicaError> {
        let least = self.uploaded().saturating_sub(MOST_AHEAD);
        match &self.replica {
            Some(replica) if least > replica.durable_bytes() => {
                replica.wait(CALL_TIME, |_, bytes| bytes >= least)
            }
            _ => Ok(()),
        }
    }

    /// Waits until the commit of this many segments is durable, for as long as it takes. Returns `false` if the session is to
    /// stop.
    ///
    /// # Errors
    /// Another server continues the session.
    pub fn wait_for_commit(&self, segments: u64) -> io::Result<bool> {
        let Some(replica) = &self.replica else { return Ok(true) };
        loop {
            let seen = self.notifier.version();
            let has_commit = |manifest: &Manifest, _| manifest.commit.segments >= segments;
            match replica.wait(Duration::ZERO, has_commit) {
                Ok(()) => return Ok(true),
                Err(error) if replica.is_fenced() => return Err(error.into()),
                Err(_) if self.stop_requested() || self.is_removed() => return Ok(false),
                Err(_) => self.notifier.wait_newer(seen, STOP_CHECK),
            };
        }
    }

    /// Reads its files from the replica, if they are not on the disk. Those of a session that has ended may not be.
    ///
    /// # Errors
    /// Those of the replica and of the session directory.
    pub fn fetch(&self) -> io::Result<()> {
        self.replica().map_or(Ok(()), |replica| replica.fetch())
    }

    /// Reads its cover from the replica, if it is not on the disk.
    ///
    /// # Errors
    /// Those of [`Session::fetch`].
    pub fn fetch_cover(&self) -> io::Result<()> {
        self.replica().map_or(Ok(()), |replica| replica.fetch_cover())
    }

    /// Makes [`Session::read_from_replica`] possible, if its stems are not on the disk.
    ///
    /// # Errors
    /// Those of [`Session::fetch`].
    pub(in crate::session) fn prepare_reading(&self) -> io::Result<()> {
        self.replica().map_or(Ok(()), |replica| replica.prepare_reading())
    }

    /// Reads `count` frames of a stem from the replica, as they are stored; `None` if they are on the disk.
    ///
    /// # Errors
    /// Those of the replica; [`Damage`](crate::session::checksums::Damage) if it has not all of them.
    pub(in crate::session) fn read_from_replica(
        &self,
        stem: &StemName,
        start: Frames,
        count: Frames,
    ) -> io::Result<Option<Vec<u8>>> {
        self.replica().map_or(Ok(None), |replica| replica.read_stem(stem, start, count))
    }

    /// Removes its files from the disk, if it has ended, the replica has them, and there are no readers. Returns whether it
    /// has.
    pub(in crate::session) fn discard_files(&self) -> bool {
        let Some(replica) = self.replica() else { return false };
        // No reader comes meanwhile.
        let _unread = lock(&self.discarding);
        if self.has_readers() || self.found_damage() != FoundDamage::Nothing || self.is_removed() {
            return false;
        }
        let discarded = replica.discard().unwrap_or_else(|error| {
            tracing::error!(session = %self.id, %error, "cannot remove the files of the session from the data folder");
            false
        });
        self.measure();
        discarded
    }

    /// Bytes that its files take, on the disk or in the replica.
    pub fn kept_bytes(&self) -> u64 {
        let on_disk = self.stored_bytes();
        if !self.replica().is_some_and(|replica| replica.is_absent()) {
            return on_disk;
        }
        let manifest = self.manifest();
        let frames = manifest.commit.stems.0.saturating_mul(manifest.stems.len() as u64);
        on_disk.max(self.uploaded() + frames * frame_bytes(Encoding::F32Le))
    }

    /// Makes its calls return, as another server continues it: they are repeated there.
    pub(in crate::session) fn release(&self) {
        lock(&self.control).shut_down = true;
        self.notifier.notify();
    }

    pub(in crate::session) fn replica(&self) -> Option<&Arc<SessionReplica>> {
        self.replica.as_ref()
    }
}
