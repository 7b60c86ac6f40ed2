//! Telling somebody who counts what happens.

use std::time::Duration;

use crate::session::manifest::EngineChange;

/// Is told what happens. Must be quick: it is called where the work is done.
pub trait Observer: Send + Sync {
    /// So many bytes of a song were taken.
    fn uploaded(&self, bytes: u64);
    /// An engine has separated a segment.
    fn separated(&self, model: &str, engine_time: Duration);
    /// The first frames of a session's stems are there, so long after it was opened.
    fn first_stem(&self, after: Duration);
    /// Another engine took over.
    fn engine_changed(&self, change: &EngineChange);
}
