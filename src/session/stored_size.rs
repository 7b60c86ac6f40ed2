//! Bytes on disk, per session and for all of them, as counters: reading them touches no file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes on disk of all sessions of a store.
#[derive(Debug, Default, Clone)]
pub(super) struct TotalSize(Arc<AtomicU64>);

/// Bytes on disk of one session, counted into a [`TotalSize`].
#[derive(Debug)]
pub(super) struct StoredSize {
    /// `None` once the session's files are being removed; it then counts nothing.
    bytes: Mutex<Option<u64>>,
    total: TotalSize,
}

impl TotalSize {
    /// The sum.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn replace(&self, old: u64, new: u64) {
        // Modulo 2^64, so a smaller `new` subtracts.
        self.0.fetch_add(new.wrapping_sub(old), Ordering::AcqRel);
    }
}

impl StoredSize {
    /// Zero until it is measured.
    pub(super) fn new(total: TotalSize) -> StoredSize {
        StoredSize { bytes: Mutex::new(Some(0)), total }
    }

    /// Bytes as last measured, and what was added since.
    pub(super) fn get(&self) -> u64 {
        self.lock().unwrap_or(0)
    }

    /// Adds bytes that were written since the last measurement.
    pub(super) fn add(&self, bytes: u64) {
        self.change(|old| old + bytes);
    }

    /// Replaces the count by a measurement. `measure` runs under the lock, so that an older measurement never replaces a
    /// newer one.
    pub(super) fn measure(&self, measure: impl FnOnce() -> u64) {
        self.change(|_| measure());
    }

    /// Stops counting the session.
    pub(super) fn end(&self) {
        if let Some(old) = self.lock().take() {
            self.total.replace(old, 0);
        }
    }

    fn change(&self, change: impl FnOnce(u64) -> u64) {
        let mut bytes = self.lock();
        if let Some(old) = *bytes {
            let new = change(old);
            self.total.replace(old, new);
            *bytes = Some(new);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_of_what_is_counted() {
        let total = TotalSize::default();
        let (first, second) = (StoredSize::new(total.clone()), StoredSize::new(total.clone()));
        first.add(10);
        second.measure(|| 5);
        assert_eq!((first.get(), second.get(), total.get()), (10, 5, 15));
        first.measure(|| 3);
        assert_eq!(total.get(), 8);
        first.end();
        first.measure(|| 100);
        first.end();
        assert_eq!((first.get(), total.get()), (0, 5));
    }
}
