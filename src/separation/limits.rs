//! Limits of sessions.

use std::time::Duration;

use crate::session::retention::Retention;

/// Limits per session and for all sessions. Each is checked before the cost is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one upload.
    pub upload_bytes: u64,
    /// Duration of one track. A raw PCM stream ends there; a longer file is refused.
    pub track: Duration,
    /// Size of a decoded track in relation to that of its upload, for tracks above [`Limits::UNBOUNDED_TRACK`].
    pub expansion: u64,
    /// Sessions that compute at the same time. Those that wait for a slot are open, too, in the words of the lifecycle.
    pub slots: usize,
    /// Sessions that wait for a slot.
    pub queued_sessions: usize,
    /// Sessions of one client that compute, wait for a slot, or have an upload that has hardly begun.
    pub client_sessions: usize,
    /// Sessions that wait for more of their upload, with a decoder and without a slot. Those that have just begun count as
    /// queued instead.
    pub parked_sessions: usize,
    /// Queued segments, for each that the workers compute at a time, from which on new sessions are refused.
    pub backlog: u64,
    /// Time without new bytes after which an incomplete upload is paused.
    pub idle_upload: Duration,
    /// Bytes per second that an incomplete upload must receive on average over `idle_upload`, or it is paused.
    pub upload_bytes_per_s: u64,
    /// Time after which a paused session fails.
    pub resume_window: Duration,
    /// When ended sessions are removed. Nothing is written that would exceed its limit of bytes.
    pub retention: Retention,
    /// Disk space, in bytes, above which files of ended sessions that are in the object store, too, are removed from the disk.
    pub cache_bytes: Option<u64>,
    /// Free disk space, in bytes, below which nothing is written.
    pub free_bytes: u64,
}

impl Limits {
    /// Tracks up to this duration may be of any size in relation to their uploads.
    pub const UNBOUNDED_TRACK: Duration = Duration::from_secs(3600);
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Three hours of CD audio as WAV.
            upload_bytes: 2 << 30,
            track: Duration::from_secs(8 * 3600),
            // MP3 of 14 kbit/s.
            expansion: 200,
            slots: 8,
            queued_sessions: 64,
            client_sessions: 48,
            parked_sessions: 64,
            // Each gateway that is busy has two there.
            backlog: 32,
            idle_upload: Duration::from_secs(60),
            // Half of what lossless audio needs for silence.
            upload_bytes_per_s: 128,
            resume_window: Duration::from_secs(24 * 3600),
            retention: Retention { age: Duration::from_secs(7 * 24 * 3600), bytes: 64 << 30 },
            cache_bytes: None,
            free_bytes: 256 << 20,
        }
    }
}
