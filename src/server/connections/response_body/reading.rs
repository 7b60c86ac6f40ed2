//! Whether a client reads its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::Bytes;

use super::SentAnswer;
use crate::server::memory_budget::Charge;

/// How far a client has read what hyper was given.
#[derive(Debug)]
pub(super) struct Reading(Mutex<ReadProgress>);

#[derive(Debug)]
struct ReadProgress {
    /// Pieces that hyper holds because they have not been written.
    unsent: usize,
    /// Whether hyper has not asked for more since it was given a piece.
    has_more: bool,
    since: Instant,
}

/// A piece of an answer, and its charge. Dropped once it is written, or the connection ends.
struct Piece {
    bytes: Bytes,
    _charge: Option<Charge>,
    answer: Arc<SentAnswer>,
}

impl Reading {
    pub(super) fn new() -> Reading {
        Reading(Mutex::new(ReadProgress { unsent: 0, has_more: false, since: Instant::now() }))
    }

    /// Since when the client has not taken what was sent; `None` if there is nothing to take.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        let progress = self.lock();
        (progress.unsent > 0 || progress.has_more).then_some(progress.since)
    }

    /// Whether pieces are in memory that have not been written.
    pub(super) fn has_unsent(&self) -> bool {
        self.lock().unsent > 0
    }

    /// Notes that hyper asks for more. It buffers pieces that have not been written, so that alone is no progress.
    pub(super) fn note_asked(&self) {
        let mut progress = self.lock();
        progress.has_more = false;
        if progress.unsent == 0 {
            progress.since = Instant::now();
        }
    }

    fn note_given(&self) {
        let mut progress = self.lock();
        (progress.unsent, progress.has_more) = (progress.unsent + 1, true);
    }

    fn note_written(&self) {
        let mut progress = self.lock();
        (progress.unsent, progress.since) = (progress.unsent - 1, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, ReadProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of an answer for hyper; noted as unsent until it is dropped.
pub(super) fn piece(bytes: Bytes, charge: Option<Charge>, answer: Arc<SentAnswer>) -> Bytes {
    answer.reading.note_given();
    Bytes::from_owner(Piece { bytes, _charge: charge, answer })
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.answer.reading.note_written();
    }
}
