//! A limit on bytes in memory, shared by all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// Time limit of waiting for memory where the caller has an error for the client.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// A number of bytes that charges share.
#[derive(Debug)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    total: u32,
    waiting: AtomicUsize,
    /// Notified when a charge has to wait.
    short: Notify,
}

/// Bytes taken from a budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge(OwnedSemaphorePermit);

impl Budget {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: u64) -> Budget {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT;
        let total = u32::try_from(units.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Budget {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
            waiting: AtomicUsize::new(0),
            short: Notify::new(),
        }
    }

    /// Takes `bytes` if they are left and no other charge waits. A charge beyond the whole budget takes all of it.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Charge> {
        let units = self.units_of(bytes);
        Arc::clone(&self.units).try_acquire_many_owned(units).ok().map(Charge)
    }

    /// Takes `bytes` as soon as they are left, in the order of the calls.
    pub(crate) async fn take(&self, bytes: usize) -> Charge {
        if let Some(charge) = self.try_take(bytes) {
            return charge;
        }
        let _waiting = WaitingCharge::new(&self.waiting);
        self.short.notify_waiters();
        match Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes)).await {
            Ok(permit) => Charge(permit),
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// The same; `None` if they are not left after a few seconds.
    pub(crate) async fn take_in_time(&self, bytes: usize) -> Option<Charge> {
        self.take_within(bytes, TIME_LIMIT).await
    }

    async fn take_within(&self, bytes: usize, limit: Duration) -> Option<Charge> {
        timeout(limit, self.take(bytes)).await.ok()
    }

    /// Whether a charge waits.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until a charge has to wait, also if that begins before this is polled.
    pub(crate) fn becomes_short(&self) -> Notified<'_> {
        self.short.notified()
    }

    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.total)
    }
}

impl Charge {
    /// The bytes that it has taken, rounded up.
    pub(crate) fn bytes(&self) -> usize {
        self.0.num_permits() * UNIT
    }

    /// Gives back what exceeds `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let excess = self.0.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(self.0.split(excess));
    }

    /// Adds another charge on the same budget.
    pub(crate) fn add(&mut self, other: Charge) {
        self.0.merge(other.0);
    }

    /// Splits off a charge of `bytes`, or of what is left.
    pub(crate) fn split(&mut self, bytes: usize) -> Option<Charge> {
        let units = bytes.div_ceil(UNIT).min(self.0.num_permits());
        self.0.split(units).map(Charge)
    }
}

/// Counts a charge that waits, also if waiting is abandoned.
struct WaitingCharge<'a>(&'a AtomicUsize);

impl<'a> WaitingCharge<'a> {
    fn new(count: &'a AtomicUsize) -> WaitingCharge<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        WaitingCharge(count)
    }
}

impl Drop for WaitingCharge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn charges_wait_until_enough_is_given_back() {
        let budget = Budget::new(8 << 10);
        let mut first = budget.try_take(5 << 10).unwrap();
        assert!(budget.try_take(4 << 10).is_none() && !budget.is_short());
        let give_back = async {
            budget.becomes_short().await;
            assert!(budget.is_short());
            first.shrink_to(4 << 10);
        };
        tokio::join!(give_back, budget.take(4 << 10));
        assert!(!budget.is_short());
    }

    #[tokio::test]
    async fn a_charge_is_split_and_joined() {
        let budget = Budget::new(8 << 10);
        let mut charge = budget.try_take(8 << 10).unwrap();
        let part = charge.split(3 << 10).unwrap();
        drop(charge);
        let mut rest = budget.try_take(5 << 10).unwrap();
        assert!(budget.try_take(1).is_none());
        rest.add(part);
        drop(rest);
        // More than there is takes all there is.
        assert!(budget.try_take(1 << 20).is_some());
    }

    #[tokio::test]
    async fn waiting_ends_at_its_limit() {
        let budget = Budget::new(1 << 10);
        let _all = budget.try_take(1 << 10);
        assert!(budget.take_within(1, Duration::from_millis(1)).await.is_none());
        assert!(!budget.is_short());
    }
}
