//! Stores the bytes of an upload and checks its end.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Session, lock};
use crate::files::Shortage;
use crate::model::Sha256Hash;
use crate::proto::reason::ErrorReason;
use crate::session::checksums::{Prefix, extend};
use crate::session::failure::too_large;
use crate::session::manifest::UploadRecord;
use crate::session::{Failure, SessionError, SessionState};

/// The result of adding bytes to an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Length of the upload now.
    pub length: u64,
    /// Bytes that were not stored before.
    pub new: u64,
}

impl Session {
    /// Stored bytes of the upload. Clients get [the durable ones](Session::durable_bytes).
    pub fn uploaded(&self) -> u64 {
        self.uploaded.load(Ordering::Acquire)
    }

    /// Adds bytes to the upload. One that is not complete when its session is DONE is stored like any other: its session is
    /// of a part of the song, and its client may not know that the rest is not needed.
    ///
    /// # Errors
    /// Those of [`Spool::add`](crate::session::spool::Spool::add); `UploadFinished`, `Ended`; `Failed` for too many bytes and
    /// a disk that fails, which refuses the upload unless the session is DONE: see [`Session::refusal`]. After `Storage`,
    /// which then is a shortage, the same bytes can be sent again.
    pub fn add_bytes(&self, offset: u64, bytes: &[u8], limit: u64) -> Result<Added, SessionError> {
        let mut spool = lock(&self.spool);
        let end = offset.saturating_add(bytes.len() as u64);
        self.check_receives()?;
        if let Some(total) = self.manifest().upload.total.filter(|&total| end > total) {
            return Err(SessionError::UploadFinished { total });
        }
        let held = spool.len();
        let before = self.resume_checksum(held)?;
        let added = spool.add(offset, bytes, limit);
        if let Ok(length) = added {
            let new = &bytes[bytes.len() - (length - held) as usize..];
            let after = Prefix { bytes: length, crc32c: extend(before.crc32c, new) };
            *lock(&self.stored) = Some(after);
            // Under the lock: of two concurrent chunks, the larger length must be stored last.
            self.uploaded.store(length, Ordering::Release);
            if let Some(replica) = &self.replica {
                replica.grown(length);
            }
            self.size.add(length - held);
        }
        drop(spool);
        lock(&self.control).upload_clock.note(bytes.len());
        match added {
            Ok(length) => {
                self.notifier.notify();
                Ok(Added { length, new: length - held })
            }
            Err(error) => {
                let failure = match &error {
                    SessionError::Storage(error) if Shortage::of(error).is_none() => {
                        Failure::of_storage(error)
                    }
                    SessionError::UploadTooLarge { limit } => too_large(*limit),
                    _ => return Err(error),
                };
                Err(self.refused(failure))
            }
        }
    }

    /// Checks that the upload is complete with `total` bytes and, if given, the hash `sha256`; then calls `store`, which
    /// reports it to the lifecycle. Repeating the call changes nothing.
    ///
    /// # Errors
    /// `UploadIncomplete`, `UploadSizeMismatch`, `Ended`; `Failed` for an empty upload or a wrong hash, which refuses the
    /// upload unless the session is DONE: see [`Session::refusal`]. Those of `store`.
    pub fn finish_upload(
        &self,
        total: u64,
        sha256: Option<&str>,
        store: impl FnOnce(UploadRecord) -> io::Result<()>,
    ) -> Result<(), SessionError> {
        let spool = lock(&self.spool);
        if self.manifest().upload.total == Some(total) {
            return Ok(());
        }
        self.check_receives()?;
        if let Some(total) = self.manifest().upload.total {
            return Err(SessionError::UploadFinished { total });
        }
        let committed = spool.len();
        if total > committed {
            return Err(SessionError::UploadIncomplete { total, committed });
        }
        if total < committed {
            return Err(SessionError::UploadSizeMismatch { total, committed });
        }
        let refusal = if total == 0 {
            Some(Failure::new(ErrorReason::UploadEmpty, "the upload has no bytes"))
        } else {
            sha256.map(|expected| self.check_hash(expected)).transpose()?.flatten()
        };
        if let Some(failure) = refusal {
            return Err(self.refused(failure));
        }
        spool.sync()?;
        let stored = self.resume_checksum(total)?;
        *lock(&self.stored) = Some(stored);
        let sha256 = sha256.map(str::to_owned);
        store(UploadRecord { total: Some(total), sha256, stored: Some(stored) })?;
        // If it has ended at the same time, nothing was stored.
        if self.manifest().upload_complete() { Ok(()) } else { self.check_open() }
    }

    fn check_hash(&self, expected: &str) -> io::Result<Option<Failure>> {
        let found = Sha256Hash::of_file(&self.layout.upload())?.to_string();
        let text =
            "the SHA-256 of the upload differs from the one given: it was damaged in transit";
        let differs = !found.eq_ignore_ascii_case(expected);
        Ok(differs.then(|| {
            Failure::new(ErrorReason::UploadHashMismatch, text)
                .with("expected_sha256", expected)
                .with("found_sha256", found)
        }))
    }

    /// Refuses the upload, unless the stems are there already.
    fn refused(&self, failure: Failure) -> SessionError {
        if self.state() != SessionState::Done {
            self.refuse(failure.clone());
        }
        SessionError::Failed(failure)
    }

    /// Checks that bytes and the end of the upload are accepted.
    fn check_receives(&self) -> Result<(), SessionError> {
        match self.state() {
            SessionState::Done if !self.is_removed() => Ok(()),
            _ => self.check_open(),
        }
    }

    fn check_open(&self) -> Result<(), SessionError> {
        if self.is_removed() {
            return Err(self.gone());
        }
        let manifest = self.manifest();
        match (manifest.failure.clone().or_else(|| self.refusal()), manifest.state()) {
            (Some(failure), _) => Err(SessionError::Failed(failure)),
            (None, state) if state.is_ended() => Err(SessionError::Ended(state)),
            _ => Ok(()),
        }
    }

    /// Whether no bytes have arrived for as long as `window`, or fewer than `bytes_per_s` on average over that time. The
    /// time starts again when the session is resumed or opened.
    pub fn is_upload_idle(&self, window: Duration, bytes_per_s: u64) -> bool {
        lock(&self.control).upload_clock.is_idle(window, bytes_per_s)
    }
}
