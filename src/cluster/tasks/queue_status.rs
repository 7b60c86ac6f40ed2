//! What is known of the queue.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is known of the queue.
#[derive(Debug, Default)]
pub struct QueueStatus {
    pub(super) is_full: AtomicBool,
    pub(super) is_away: AtomicBool,
    pub(super) repeated: AtomicU64,
    pub(super) depth: AtomicU64,
}

impl QueueStatus {
    /// Whether it has no room for a notice.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Whether notices cannot be published.
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Notices of all servers in it, those of tasks that are being computed included, a second or two ago.
    pub fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Notices that were published again because the queue had lost them.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }
}
