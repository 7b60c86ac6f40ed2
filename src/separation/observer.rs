//! Events for metrics.

use std::time::Duration;

use crate::session::manifest::EngineChange;

/// Receives events. Called on the threads that do the work, so it must be quick.
pub trait Observer: Send + Sync {
    /// Bytes of an upload were stored.
    fn uploaded(&self, bytes: u64);
    /// An engine separated a segment in this time.
    fn separated(&self, model: &str, engine_time: Duration);
    /// The first frames of a session's stems can be read, this long after it was created.
    fn first_stem(&self, after: Duration);
    /// A session switched to another engine.
    fn engine_changed(&self, change: &EngineChange);
}
