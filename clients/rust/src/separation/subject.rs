//! What a separation follows: an upload, or a session that exists.

use super::WatchOptions;
use crate::proto;
use crate::song::Song;

/// What is followed.
pub(super) enum Subject {
    Upload {
        config: Box<proto::SeparationConfig>,
        /// `None` while it is sent.
        song: Option<Song>,
    },
    Watch {
        session_id: String,
        options: WatchOptions,
    },
}

impl Subject {
    /// Keeps the song for the next call.
    pub(super) fn put_back(&mut self, unsent: Song) {
        if let Subject::Upload { song, .. } = self {
            *song = Some(unsent);
        }
    }
}
