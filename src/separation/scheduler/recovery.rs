//! Takes up the sessions of the server before.

use std::sync::Arc;

use super::Scheduler;
use crate::session::{Failure, Reason, SessionState};

/// A session that was found unfinished so often without having got on is what brings the server down.
const MOST_RECOVERIES: u32 = 32;

impl Scheduler {
    /// Sessions of the server before: complete uploads go on, the others wait for their clients.
    pub(super) fn recover(self: &Arc<Scheduler>) {
        let mut sessions = self.store.all();
        sessions.sort_by_key(|session| (session.manifest().created, session.id()));
        for session in sessions {
            let had = session.layout().all_computing();
            // A full disk must not keep the server from starting: what cannot be written now, the next
            // server finds as this one has.
            match session.state() {
                SessionState::Uploading => session.settle(|manifest| {
                    manifest.deaths += u32::from(!had.is_empty());
                    manifest.state = SessionState::Paused;
                }),
                SessionState::Running => {
                    session.settle(|manifest| {
                        manifest.deaths += u32::from(!had.is_empty());
                        manifest.recoveries += 1;
                    });
                    if session.manifest().recoveries > MOST_RECOVERIES {
                        let text = "the server ended abnormally with this session again and again; \
                                    convert the file and send it anew";
                        session.fail(Failure::new(Reason::CrashedTooOften, text));
                    } else {
                        self.lock().queue.push_back(session);
                    }
                }
                SessionState::Paused
                | SessionState::Done
                | SessionState::Failed
                | SessionState::Cancelled => {}
            }
            for mark in had {
                // One that stays counts once more, which at worst lets another engine take over early.
                let _ = std::fs::remove_file(mark);
            }
        }
        self.fill();
    }
}
