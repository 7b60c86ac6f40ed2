//! What a server takes on.

use std::time::Duration;

use crate::session::retention::Retention;

/// Limits of all sessions together and of each. Each is checked before the cost is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one upload.
    pub upload_bytes: u64,
    /// Duration of one track. A live source ends well at it, a longer file is refused.
    pub track: Duration,
    /// Sessions that may receive and compute at once.
    pub open_sessions: usize,
    /// Sessions that may wait for a place.
    pub queued_sessions: usize,
    /// How long an upload may pause before its session is paused.
    pub idle_upload: Duration,
    /// How long a paused session can be resumed.
    pub resume_window: Duration,
    /// How long ended sessions are kept, and how much all may hold; beyond that, new ones are refused.
    pub retention: Retention,
    /// Bytes that stay free on the disk; below that, new sessions are refused.
    pub free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Three hours of CD audio as WAV.
            upload_bytes: 2 << 30,
            track: Duration::from_secs(8 * 3600),
            open_sessions: 8,
            queued_sessions: 64,
            idle_upload: Duration::from_secs(60),
            resume_window: Duration::from_secs(24 * 3600),
            retention: Retention { age: Duration::from_secs(7 * 24 * 3600), bytes: 64 << 30 },
            free_bytes: 256 << 20,
        }
    }
}
