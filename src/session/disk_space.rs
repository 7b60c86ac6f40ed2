//! Keeps the disk space of all sessions within limits while they run.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stored_size::TotalSize;
use crate::files;
use crate::proto::reason::ErrorReason;

/// Limits of the disk space that sessions use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceLimits {
    /// Bytes that stay free on the disk.
    pub free: u64,
    /// Bytes that all sessions may take.
    pub stored: u64,
}

/// A limit of the disk space that is reached. It passes when sessions are removed or other files are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// The disk is nearly full.
    #[error(
        "{needed} bytes are needed and {free} are free on the disk, of which {limit} stay free"
    )]
    DiskFull {
        /// Bytes that were to be written.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// The limit.
        limit: u64,
    },
    /// The sessions take as much as they may.
    #[error("{needed} bytes are needed, and the sessions take {held} of {limit} bytes")]
    StorageFull {
        /// Bytes that were to be written.
        needed: u64,
        /// Bytes held.
        held: u64,
        /// The limit.
        limit: u64,
    },
}

impl SpaceError {
    /// The reason on the wire.
    pub fn reason(self) -> ErrorReason {
        match self {
            SpaceError::DiskFull { .. } => ErrorReason::DiskFull,
            SpaceError::StorageFull { .. } => ErrorReason::StorageFull,
        }
    }
}

/// Checks [`SpaceLimits`] before bytes are written.
#[derive(Debug)]
pub struct SpaceGuard {
    folder: PathBuf,
    limits: SpaceLimits,
    total: TotalSize,
    known: Mutex<Known>,
}

/// The free space when it was last looked up, and what has changed since.
#[derive(Debug)]
struct Known {
    free: u64,
    at: Instant,
    /// Bytes reserved since, and those that were reserved at that time.
    reserved: u64,
    /// Bytes that are reserved now.
    outstanding: u64,
}

/// Bytes that are about to be written. Dropped once they are.
#[derive(Debug)]
pub struct Reservation<'a> {
    guard: &'a SpaceGuard,
    bytes: u64,
}

/// The free space is looked up at most this often, as long as the limit is not reached: on some file systems that takes
/// longer than writing a chunk.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(50);

impl SpaceGuard {
    /// For the sessions in `folder`, whose sizes are in `total`.
    pub(super) fn new(folder: PathBuf, limits: SpaceLimits, total: TotalSize) -> SpaceGuard {
        let known = Known { free: 0, at: Instant::now(), reserved: 0, outstanding: 0 };
        let guard = SpaceGuard { folder, limits, total, known: Mutex::new(known) };
        guard.lookup(&mut guard.lock());
        guard
    }

    /// Reserves space for `bytes` that are about to be written.
    ///
    /// # Errors
    /// [`SpaceError`] if a limit would be exceeded.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, SpaceError> {
        let mut known = self.lock();
        let (held, limit) = (self.total.get(), self.limits.stored);
        if held.saturating_add(known.outstanding).saturating_add(bytes) > limit {
            return Err(SpaceError::StorageFull { needed: bytes, held, limit });
        }
        let fits =
            |known: &Known| known.free.saturating_sub(known.reserved + bytes) >= self.limits.free;
        if known.at.elapsed() >= LOOKUP_INTERVAL || !fits(&known) {
            self.lookup(&mut known);
        }
        // Where nothing has to stay free, the disk itself reports that it is full.
        if self.limits.free > 0 && !fits(&known) {
            let (free, limit) = (known.free, self.limits.free);
            return Err(SpaceError::DiskFull { needed: bytes, free, limit });
        }
        known.reserved += bytes;
        known.outstanding += bytes;
        Ok(Reservation { guard: self, bytes })
    }

    /// Checks that `bytes` could be written now.
    ///
    /// # Errors
    /// Those of [`SpaceGuard::reserve`].
    pub fn check(&self, bytes: u64) -> Result<(), SpaceError> {
        self.reserve(bytes).map(|_| ())
    }

    fn lookup(&self, known: &mut Known) {
        known.free = files::free_bytes(&self.folder).unwrap_or(u64::MAX);
        known.at = Instant::now();
        known.reserved = known.outstanding;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.guard.lock().outstanding -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::stored_size::StoredSize;

    const MANY: u64 = 1 << 62;

    fn guard(limits: SpaceLimits) -> (SpaceGuard, StoredSize) {
        let total = TotalSize::default();
        let folder = std::env::temp_dir();
        (SpaceGuard::new(folder, limits, total.clone()), StoredSize::new(total))
    }

    #[test]
    fn all_sessions_together_stay_within_their_limit() {
        let (guard, session) = guard(SpaceLimits { free: 0, stored: 100 });
        session.add(60);
        let first = guard.reserve(30).unwrap();
        let full = SpaceError::StorageFull { needed: 11, held: 60, limit: 100 };
        assert_eq!(guard.check(11), Err(full), "what is about to be written counts");
        assert_eq!(guard.check(10), Ok(()));
        drop(first);
        assert_eq!(guard.check(40), Ok(()));
        session.measure(|| 0);
        assert_eq!(guard.check(100), Ok(()));
    }

    #[test]
    fn a_part_of_the_disk_stays_free() {
        let (guard, _) = guard(SpaceLimits { free: MANY, stored: u64::MAX });
        assert!(matches!(guard.check(1), Err(SpaceError::DiskFull { limit: MANY, .. })));
        let (guard, _) = self::guard(SpaceLimits { free: 1, stored: u64::MAX });
        assert_eq!(guard.check(1), Ok(()));
        assert!(matches!(guard.check(MANY), Err(SpaceError::DiskFull { limit: 1, .. })));
    }
}
