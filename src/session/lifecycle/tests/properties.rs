//! What holds after any sequence of events.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::session::SessionState;

/// Slots of a simulated server.
const SLOTS: usize = 2;

/// One session as the actions leave it.
#[derive(Debug, Clone)]
struct Simulated {
    state: State,
    saved: SessionState,
    /// Segments that are committed.
    committed: u64,
    /// Segments that are in the files.
    stored: u64,
    has_files: bool,
    has_scratch: bool,
    is_queued: bool,
    taken: i32,
    freed: i32,
}

impl Simulated {
    fn new(state: State) -> Simulated {
        Simulated {
            state,
            saved: state.saved(),
            committed: 0,
            stored: 0,
            has_files: state != State::Removed,
            has_scratch: true,
            is_queued: matches!(state, State::Queued(_)),
            taken: i32::from(state.has_run()),
            freed: 0,
        }
    }

    /// Reports an event; `full` makes every write fail.
    fn report(&mut self, event: Event, full: bool) {
        let (after, actions) = step(self.state, event);
        if full && actions.contains(&Action::Persist) {
            assert_eq!(actions[0], Action::Persist, "nothing may happen before it");
            return;
        }
        for action in actions {
            match action {
                Action::Persist => self.saved = after.saved(),
                Action::Settle => self.saved = after.saved(),
                Action::Fail(_) => self.saved = SessionState::Failed,
                Action::RemoveScratch => self.has_scratch = false,
                Action::RemoveFiles => {
                    assert!(self.has_files, "they are removed once");
                    self.has_files = false;
                }
                Action::Enqueue => {
                    // Its pipeline writes anew what it needs.
                    self.has_scratch = true;
                    assert!(!self.is_queued, "it is queued once");
                    self.is_queued = true;
                }
                Action::LeaveQueue => self.is_queued = false,
                Action::StartRun => {
                    self.is_queued = false;
                    self.taken += 1;
                }
                Action::FreeSlot => self.freed += 1,
                Action::RequestStop | Action::RestartIdleClock | Action::AnnounceShutdown => {}
            }
        }
        self.state = after;
    }

    /// The pipeline commits a segment: stems first, then the counter, as it does while it runs.
    fn commit(&mut self) {
        if self.state.has_run() && self.has_files && self.has_scratch {
            self.stored += 1;
            self.committed = self.stored;
        }
    }

    fn check(&self, before: &Simulated) {
        assert!(self.committed >= before.committed, "a committed segment is lost");
        assert!(self.committed == 0 || self.stored >= self.committed);
        assert_eq!(self.has_files, self.state != State::Removed);
        let held = self.taken - self.freed;
        assert_eq!(held, i32::from(self.state.has_run()), "{self:?}");
        assert_eq!(self.is_queued, matches!(self.state, State::Queued(_)), "{self:?}");
        assert!(self.has_scratch || is_ended(self.state), "{self:?} needs it");
        if self.state != State::Removed {
            assert_eq!(self.saved, self.state.saved(), "{self:?}");
        }
        match before.state {
            // Its damaged stems are recomputed.
            State::Done if self.state == State::Queued(UploadState::Complete) => {}
            State::Done | State::Failed | State::Cancelled => {
                assert!([before.state, State::Removed].contains(&self.state), "an end is final");
            }
            State::Removed => assert_eq!(self.state, State::Removed),
            _ => {}
        }
    }
}

fn is_ended(state: State) -> bool {
    state.saved().is_ended()
}

fn states() -> impl Strategy<Value = State> {
    proptest::sample::select(STATES.map(|(_, state)| state).to_vec())
}

fn events() -> impl Strategy<Value = Event> {
    proptest::sample::select(EVENTS.map(|(_, event)| event).to_vec())
}

/// Events that can occur while a server runs: no start, no stop, and no end of a run, which the test decides.
fn events_of_clients() -> impl Strategy<Value = Event> {
    events().prop_filter("of clients", |event| {
        !matches!(
            event,
            Event::SlotGranted
                | Event::RunEnded(_)
                | Event::ServerStopping
                | Event::ServerRestarted { .. }
                | Event::DamageFound
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_event_loses_a_commit_leaks_a_slot_or_undoes_an_end(
        start in states(),
        events in proptest::collection::vec((events(), proptest::bool::weighted(0.1), any::<bool>()), 0..64),
    ) {
        let mut session = Simulated::new(start);
        session.has_scratch = !is_ended(start);
        for (event, full, commits) in events {
            let before = session.clone();
            if commits {
                session.commit();
            }
            session.report(event, full);
            session.check(&before);
        }
    }

    #[test]
    fn every_session_ends_once_it_is_cancelled(
        start in states(),
        events in proptest::collection::vec(events_of_clients(), 0..16),
        end in proptest::sample::select(vec![RunEnd::Done, RunEnd::Stopped, RunEnd::Delayed, RunEnd::Failed]),
    ) {
        let mut session = Simulated::new(start);
        session.report(Event::CancelRequested, false);
        // No event of a client undoes the cancellation.
        for event in events {
            session.report(event, false);
        }
        session.report(Event::RunEnded(end), false);
        prop_assert!(is_ended(session.state), "{session:?}");
    }

    #[test]
    fn an_upload_and_leaving_end_alike_in_either_order(
        start in states(),
        policy in proptest::sample::select(vec![OnDisconnect::Pause, OnDisconnect::Continue, OnDisconnect::Cancel]),
        watched in any::<bool>(),
        finishes in any::<bool>(),
        stops in any::<[bool; 3]>(),
    ) {
        // When the server stops, nothing is resumed.
        prop_assume!(!matches!(start, State::Stopping(_, StopReason::Shutdown)));
        let arrived: &[Event] = match finishes {
            true => &[Event::UploadFinished, Event::ResumeRequested],
            false => &[Event::BytesArrived],
        };
        let left = Event::ClientLeft { policy, watched };
        // What the scheduler reports instead for a call that has left.
        let late = Event::ArrivedLate { policy, watched };
        let arrived_late: &[Event] = match finishes {
            true => &[Event::UploadFinished, late],
            false => &[late],
        };
        let end = |events: &[Event]| {
            let mut session = Simulated::new(start);
            session.report(Event::TakenOver, false);
            for (event, stops) in events.iter().zip(stops.into_iter().chain([false])) {
                session.report(*event, false);
                if stops && session.state.is_stopping() {
                    session.report(Event::RunEnded(RunEnd::Stopped), false);
                }
            }
            session.report(Event::RetryDue, false);
            session.report(Event::SlotGranted, false);
            if session.state.is_stopping() {
                session.report(Event::RunEnded(RunEnd::Stopped), false);
                session.report(Event::SlotGranted, false);
            }
            session.state
        };
        let in_order = end(&[arrived, &[left]].concat());
        let out_of_order = end(&[&[left], arrived_late].concat());
        prop_assert_eq!(in_order, out_of_order);
    }

    #[test]
    fn a_paused_session_ends_unless_a_client_returns(start in states(), restarts in 0..3) {
        let mut session = Simulated::new(start);
        for _ in 0..restarts {
            session.report(Event::ServerStopping, false);
            session.report(Event::ServerRestarted { suspect: false }, false);
        }
        let waits = matches!(session.state, State::Paused(_));
        session.report(Event::ResumeWindowPassed, false);
        prop_assert_eq!(waits && session.state == State::Failed, waits);
    }

    #[test]
    fn a_delayed_session_neither_fails_nor_waits_for_a_client(
        start in states(),
        events in proptest::collection::vec(proptest::sample::select(vec![
            Event::RunEnded(RunEnd::Delayed),
            Event::ResumeWindowPassed,
            Event::ServerStopping,
            Event::ServerRestarted { suspect: false },
            Event::RetryDue,
            Event::SlotGranted,
        ]), 0..16),
    ) {
        let mut session = Simulated::new(start);
        session.report(Event::UploadFinished, false);
        let delayed = matches!(session.state, State::Open(_));
        session.report(Event::RunEnded(RunEnd::Delayed), false);
        prop_assert_eq!(delayed, delayed && session.state.is_delayed());
        if delayed {
            for event in events {
                session.report(event, false);
            }
            session.report(Event::ServerStopping, false);
            session.report(Event::RunEnded(RunEnd::Stopped), false);
            session.report(Event::ServerRestarted { suspect: false }, false);
            session.report(Event::RetryDue, false);
            // What the server does with sessions that it finds running.
            session.report(Event::ResumeRequested, false);
            prop_assert_eq!(session.state, State::Queued(UploadState::Complete));
        }
    }

    #[test]
    fn every_queued_session_gets_a_slot_when_runs_end(
        events in proptest::collection::vec((0..6_usize, events_of_clients()), 0..64),
    ) {
        let created = State::Unscheduled { upload: UploadState::Complete, hold: Hold::None };
        let mut sessions = vec![Simulated::new(created); 6];
        let mut queue = VecDeque::new();
        let apply = |sessions: &mut Vec<Simulated>, queue: &mut VecDeque<usize>, at: usize, event| {
            sessions[at].report(event, false);
            queue.retain(|&queued| sessions[queued].is_queued);
            if sessions[at].is_queued && !queue.contains(&at) {
                queue.push_back(at);
            }
            // As the scheduler does after each event.
            while sessions.iter().filter(|session| session.state.has_run()).count() < SLOTS {
                let Some(first) = queue.pop_front() else { break };
                sessions[first].report(Event::SlotGranted, false);
                assert!(sessions[first].state.has_run(), "the slot was granted but not taken");
            }
            let open = sessions.iter().filter(|session| session.state.has_run()).count();
            assert!(open <= SLOTS && (queue.is_empty() || open == SLOTS));
        };
        for (at, event) in events {
            apply(&mut sessions, &mut queue, at, event);
        }
        // Each ended run frees a slot; runs that return to the queue get one again later.
        for _ in 0..3 * sessions.len() {
            let running = sessions.iter().position(|session| session.state.has_run());
            let Some(at) = running else { break };
            let stops = sessions[at].state.is_stopping();
            let end = if stops { RunEnd::Stopped } else { RunEnd::Done };
            apply(&mut sessions, &mut queue, at, Event::RunEnded(end));
        }
        prop_assert!(queue.is_empty());
        prop_assert!(sessions.iter().all(|session| !session.state.has_run()));
    }
}
