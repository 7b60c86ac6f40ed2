//! Readers of a session's files.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Session, lock};
use crate::session::manifest::Timestamp;

/// While it lives, retention does not remove the session, and the session counts as read.
#[derive(Debug)]
pub struct ReaderGuard(Arc<Session>);

impl Session {
    /// Registers a reader until the guard is dropped.
    pub fn register_reader(self: &Arc<Session>) -> ReaderGuard {
        let _stays = lock(&self.discarding);
        self.readers.fetch_add(1, Ordering::AcqRel);
        ReaderGuard(Arc::clone(self))
    }

    /// When the last reader left, or the manifest was written that it was opened with.
    pub(in crate::session) fn last_read(&self) -> Timestamp {
        Timestamp(self.last_read.load(Ordering::Acquire))
    }

    /// Whether there are readers.
    pub fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        self.0.last_read.fetch_max(Timestamp::now().0, Ordering::AcqRel);
        self.0.readers.fetch_sub(1, Ordering::AcqRel);
    }
}
