//! Restores the sessions of the previous process.

use std::sync::Arc;

use super::Scheduler;
use super::executor::Payload;
use crate::session::lifecycle::{Event, Hold, State, UploadState};
use crate::session::{Manifest, Session};

/// Recoveries without progress after which a session is considered to crash the server.
const MAX_RECOVERIES: u32 = 32;

/// A restored session that continues without its client.
const RUNNING: State = State::Unscheduled { upload: UploadState::Complete, hold: Hold::None };

impl Scheduler {
    /// Restores a session that was read from disk: one with a complete upload continues, others wait for their clients.
    pub(super) fn recover(self: &Arc<Scheduler>, session: &Arc<Session>) {
        if session.state().is_ended() {
            return;
        }
        let computing = session.layout().all_computing();
        let count = |manifest: &mut Manifest| {
            manifest.deaths += u32::from(!computing.is_empty());
            manifest.recoveries += u32::from(session.lifecycle() == RUNNING);
        };
        let exhausted = session.manifest().recoveries >= MAX_RECOVERIES;
        let restarted = Event::ServerRestarted { exhausted };
        let mut slots = self.lock();
        // A full disk must not prevent the start. A state that cannot be written is found again by the next server.
        self.apply_or_log(&mut slots, session, restarted, Payload::Note(&count));
        if slots.closed {
            self.apply_or_log(&mut slots, session, Event::ServerStopping, Payload::Nothing);
        }
        drop(slots);
        for mark in computing {
            // A marker that stays counts once more, which at worst switches the engine early.
            let _ = std::fs::remove_file(mark);
        }
    }

    /// Reads all sessions, queues those whose upload is complete, oldest first, and then measures what all of them
    /// store. The duration is proportional to their number, so it runs in a thread of its own.
    pub(super) fn load_sessions(self: &Arc<Scheduler>) {
        let is_open = || !self.lock().closed;
        if !self.store.load_while(is_open) {
            return;
        }
        let mut sessions = self.store.all();
        sessions.retain(|session| session.lifecycle() == RUNNING);
        sessions.sort_by_key(|session| (session.manifest().created, session.id()));
        let mut slots = self.lock();
        for session in sessions {
            // A client may have resumed or ended it meanwhile.
            if session.lifecycle() == RUNNING && !slots.closed {
                let event = Event::ResumeRequested;
                self.apply_or_log(&mut slots, &session, event, Payload::Nothing);
            }
        }
        self.fill(&mut slots);
        drop(slots);
        self.store.measure_while(is_open);
    }
}
