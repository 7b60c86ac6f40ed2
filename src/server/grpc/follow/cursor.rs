//! The events that a client has received and those that are due.

use std::time::Duration;

use tokio::time::Instant;

use super::StreamEvent;
use crate::audio::Frames;
use crate::proto;
use crate::server::convert;
use crate::session::Session;
use crate::session::manifest::EngineChange;

/// Longest and shortest interval between `Progress` messages.
const PROGRESS_AT_LEAST: Duration = Duration::from_secs(4);
const PROGRESS_AT_MOST: Duration = Duration::from_millis(200);

/// Records which events a client has received.
pub(in crate::server::grpc) struct EventCursor {
    progress: proto::Progress,
    at: Instant,
    engine_changes: usize,
}

impl EventCursor {
    /// The first event, the session as it is now, and a cursor behind it and the engine changes before `start`.
    pub(in crate::server::grpc) fn begin(
        session: &Session,
        start: Frames,
    ) -> (StreamEvent, EventCursor) {
        // One manifest for both, so that no later change is missed.
        let manifest = session.durable_manifest();
        let before = |change: &&EngineChange| change.frame < start;
        let cursor = EventCursor {
            progress: convert::progress(session.progress_by(&manifest)),
            at: Instant::now(),
            engine_changes: manifest.engine_changes.iter().take_while(before).count(),
        };
        (StreamEvent::Session(convert::session_by(session, &manifest)), cursor)
    }

    pub(super) fn engine_changes(&mut self, session: &Session) -> Vec<StreamEvent> {
        let manifest = session.durable_manifest();
        let new: &[EngineChange] =
            manifest.engine_changes.get(self.engine_changes..).unwrap_or(&[]);
        self.engine_changes += new.len();
        new.iter().map(|change| StreamEvent::EngineChange(convert::engine_change(change))).collect()
    }

    /// A progress event, if the progress has changed or the interval has passed.
    pub(super) fn progress(&mut self, session: &Session, pumped: bool) -> Option<StreamEvent> {
        let progress = convert::progress(session.durable_progress());
        let waited = self.at.elapsed();
        let news = progress.finished_frames != self.progress.finished_frames
            || progress.state != self.progress.state
            || progress.queue_position != self.progress.queue_position
            || waited > PROGRESS_AT_MOST && progress != self.progress;
        let due = waited >= PROGRESS_AT_LEAST || (news && (!pumped || waited > PROGRESS_AT_MOST));
        due.then(|| {
            self.progress = progress;
            self.at = Instant::now();
            StreamEvent::Progress(progress)
        })
    }

    pub(super) fn next_progress(&self) -> Instant {
        self.at + PROGRESS_AT_LEAST
    }
}
