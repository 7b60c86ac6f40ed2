//! Restores the sessions of the previous process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::executor::Payload;
use crate::proto::reason::ErrorReason;
use crate::session::lifecycle::{Event, Hold, State, UploadState};
use crate::session::{Failure, Manifest, Session};

/// Abnormal ends of the server while it computed a session, without a commit in between, after which the session starts
/// with a delay: if it is the cause, the others are completed first. It never fails for them, because another session or
/// something outside may be the cause.
const SUSPECT_DEATHS: u32 = 8;

/// Interval between attempts to read sessions that a limit of the system forbids to read.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// The same in a cluster, where it may take longer to find out which server has them.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Interval between looks for sessions of servers that are lost.
const TAKE_OVER: Duration = Duration::from_secs(1);

/// Interval of listing the object store, which takes time: it finds what others have removed, and what was missed.
const LOOK_THROUGH: Duration = Duration::from_secs(60);

/// A restored session that continues without its client.
const RUNNING: State = State::Unscheduled { upload: UploadState::Complete, hold: Hold::None };

impl Scheduler {
    /// Restores a session that was read from disk: one with a complete upload continues, others wait for their clients.
    pub(super) fn recover(self: &Arc<Scheduler>, session: &Arc<Session>) {
        let layout = session.layout();
        if session.state().is_ended() {
            // Left by a process that was killed when it had just ended the session, or while it encoded.
            for file in layout.scratch().into_iter().chain(layout.incomplete_flac()) {
                let _ = std::fs::remove_file(file);
            }
            return;
        }
        let computing = layout.all_computing();
        let deaths = session.manifest().deaths + u32::from(!computing.is_empty());
        let count = |manifest: &mut Manifest| manifest.deaths = deaths;
        let suspect = !computing.is_empty() && deaths > SUSPECT_DEATHS;
        let payload = if suspect {
            let text = format!(
                "the server ended abnormally {deaths} times while it computed this session"
            );
            Payload::FailureAndNote(Failure::new(ErrorReason::CrashedTooOften, text), &count)
        } else {
            Payload::Note(&count)
        };
        let mut slots = self.lock();
        // A full disk must not prevent the start. A state that cannot be written is found again by the next server.
        self.apply_or_log(&mut slots, session, Event::ServerRestarted { suspect }, payload);
        if suspect {
            slots.delays.lengthen(session.id(), deaths - SUSPECT_DEATHS);
        }
        if slots.closed {
            self.apply_or_log(&mut slots, session, Event::ServerStopping, Payload::Nothing);
        }
        slots.scant.add(session);
        drop(slots);
        for mark in computing {
            // A marker that stays counts once more; at worst, a segment is computed in isolation early.
            let _ = std::fs::remove_file(mark);
        }
    }

    /// Reads all sessions, queues those whose upload is complete, oldest first, and then measures what all of them
    /// store. The duration is proportional to their number, so it runs in a thread of its own. In a cluster, it then takes
    /// over sessions of servers that are lost, until the scheduler closes.
    pub(super) fn load_sessions(self: &Arc<Scheduler>) {
        let is_open = || !self.lock().closed;
        while !self.store.is_loaded() {
            if !self.store.load_while(is_open) {
                return;
            }
            if !self.store.is_loaded() {
                let time = if self.store.is_shared() { LOOK_AGAIN } else { READ_AGAIN };
                std::thread::park_timeout(time);
            }
        }
        self.resume_recovered();
        self.store.measure_while(is_open);
        // What clients of this server ask for is taken over then; the rest here.
        let mut looked_through = Instant::now();
        while self.store.is_shared() && is_open() {
            std::thread::park_timeout(TAKE_OVER);
            self.store.adopt_orphans(is_open);
            if looked_through.elapsed() >= LOOK_THROUGH {
                self.store.look_through(is_open);
                looked_through = Instant::now();
            }
            self.resume_recovered();
        }
    }

    /// Queues the sessions that continue without their clients.
    fn resume_recovered(self: &Arc<Scheduler>) {
        let mut sessions = self.store.all();
        sessions.retain(|session| session.lifecycle() == RUNNING && !session.is_fenced());
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
    }
}
