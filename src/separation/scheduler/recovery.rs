//! Recovers the sessions that the previous process left.

use std::sync::Arc;

use super::Scheduler;
use super::executor::Payload;
use crate::session::Manifest;
use crate::session::lifecycle::{Event, State, UploadState};

/// Recoveries without progress after which a session is taken to be what ends the server.
const MAX_RECOVERIES: u32 = 32;

impl Scheduler {
    /// Queues sessions whose upload is complete, the oldest first; the others wait for their clients.
    pub(super) fn recover(self: &Arc<Scheduler>) {
        let mut sessions = self.store.all();
        sessions.sort_by_key(|session| (session.manifest().created, session.id()));
        let mut slots = self.lock();
        for session in sessions {
            let computing = session.layout().all_computing();
            let running = State::Unscheduled { upload: UploadState::Complete, paused: false };
            let count = |manifest: &mut Manifest| {
                manifest.deaths += u32::from(!computing.is_empty());
                manifest.recoveries += u32::from(session.lifecycle() == running);
            };
            let exhausted = session.manifest().recoveries >= MAX_RECOVERIES;
            let restarted = Event::ServerRestarted { exhausted };
            // A full disk must not keep the server from starting. What cannot be written, the next server finds as this
            // one has.
            let payload = Payload::Note(&count);
            if self.apply_or_log(&mut slots, &session, restarted, payload).after == running {
                self.apply_or_log(&mut slots, &session, Event::ResumeRequested, Payload::Nothing);
            }
            for mark in computing {
                // One that stays counts once more, which at worst switches the engine early.
                let _ = std::fs::remove_file(mark);
            }
        }
        self.fill(&mut slots);
    }
}
