//! A session without a slot ends like any other, and delays no end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stemwire::separation::Counts;
use stemwire::session::lifecycle::{State, UploadState};
use stemwire::session::{Session, SessionState};

use super::{Fixture, LIMITS, ONE_SEGMENT, PATIENCE, upload};

/// What becomes of sessions without a slot: `end` ends one, which is then in the state `expected`.
#[track_caller]
fn check_end(end: impl Fn(&Fixture, &Arc<Session>), expected: SessionState) {
    let place = Fixture::new(LIMITS(), Duration::from_millis(30));
    let song = upload(2);
    for bytes in [&[][..], &song[..1], &song[..ONE_SEGMENT]] {
        let session = place.parked(bytes);
        end(&place, &session);
        place.separations.wait_stopped(&session).unwrap();
        assert_eq!(session.state(), expected);
        assert_eq!(place.separations.counts().parked, 0);
    }
    let [first, second] = place.contended();
    end(&place, &second);
    place.separations.wait_stopped(&second).unwrap();
    assert_eq!(second.state(), expected);
    assert_eq!(place.separations.wait(&first, PATIENCE), SessionState::Done);
    assert_eq!(place.separations.counts(), Counts { open: 0, queued: 0, parked: 0 });
}

#[test]
fn a_session_without_a_slot_can_be_cancelled() {
    check_end(|place, session| place.separations.cancel(session), SessionState::Cancelled);
}

#[test]
fn a_session_without_a_slot_can_be_deleted() {
    check_end(
        |place, session| {
            place.separations.delete(session).unwrap();
            assert!(!session.layout().directory().exists());
        },
        SessionState::Cancelled,
    );
}

#[test]
fn a_session_without_a_slot_is_paused_when_its_client_leaves() {
    check_end(
        |place, session| {
            let call = place.separations.take_over(session, None).unwrap().unwrap();
            place.separations.client_left(session, call);
        },
        SessionState::Paused,
    );
}

#[test]
fn sessions_without_a_slot_do_not_delay_the_end_of_the_server() {
    let place = Fixture::new(LIMITS(), Duration::from_millis(30));
    let song = upload(2);
    let parked = [&[][..], &song[..1], &song[..ONE_SEGMENT]].map(|bytes| place.parked(bytes));
    let [first, second] = place.contended();
    assert!(place.separations.close(Instant::now() + PATIENCE));
    let expected = [(&first, UploadState::Complete), (&second, UploadState::Complete)];
    let expected = expected.into_iter().chain(parked.iter().map(|s| (s, UploadState::Receiving)));
    for (session, upload) in expected {
        let state = session.lifecycle();
        assert!(
            matches!(state, State::Unscheduled { upload: found, .. } if found == upload),
            "{state:?}"
        );
    }
}
