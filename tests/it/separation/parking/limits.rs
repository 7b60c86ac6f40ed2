//! Uploads that are stuck give way to others where a limit is reached.

use std::net::Ipv4Addr;
use std::time::Duration;

use stemwire::proto::reason::ErrorReason;
use stemwire::separation::Limits;
use stemwire::session::{SessionState, Settings};

use super::{Fixture, LIMITS, PATIENCE, upload};
use crate::support::pipeline::{begin, separate, wait_for};

#[test]
fn an_upload_that_is_stuck_gives_way_and_continues_with_its_next_bytes() {
    let limits = Limits { queued_sessions: 1, parked_sessions: 1, ..LIMITS() };
    let place = Fixture::new(limits, Duration::ZERO);
    let song = upload(3);
    let [first, second] = [(); 2].map(|()| {
        let (session, _) = place.separations.create(Settings::default()).unwrap();
        place.add(&session, &song[..20_000]);
        session
    });
    // An upload that has just begun counts as one that computes.
    let refused = place.separations.create(Settings::default()).unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::QueueFull);
    wait_for(|| first.state() == SessionState::Paused);
    assert_eq!(second.state(), SessionState::Uploading);
    separate(&place.separations, Settings::default(), &song);
    for session in [second, first] {
        place.complete(&session, &song);
        assert_eq!(place.separations.wait(&session, PATIENCE), SessionState::Done);
    }
}

#[test]
fn a_few_bytes_do_not_resume_a_slow_upload_in_the_place_of_another() {
    let place = Fixture::new(Limits { parked_sessions: 1, ..LIMITS() }, Duration::ZERO);
    let song = upload(3);
    let [first, _second] = [(); 2].map(|()| {
        let (session, _) = place.separations.create(Settings::default()).unwrap();
        place.add(&session, &song[..100]);
        session
    });
    wait_for(|| first.state() == SessionState::Paused);
    place.add(&first, &song[..101]);
    assert_eq!((first.uploaded(), first.state()), (101, SessionState::Paused));
    place.complete(&first, &song);
    assert_eq!(place.separations.wait(&first, PATIENCE), SessionState::Done);
}

#[test]
fn a_client_has_its_share_of_the_queue_and_leaves_the_rest_to_others() {
    let limits = Limits { queued_sessions: 4, client_sessions: 2, ..LIMITS() };
    let place = Fixture::new(limits, Duration::from_millis(100));
    let [first, second] = [1, 2].map(|host| Some(Ipv4Addr::new(192, 0, 2, host).into()));
    let create = |client| place.separations.create_for(client, Settings::default());
    let song = upload(100);
    let sessions = [(); 2].map(|()| create(first).unwrap().0);
    sessions.iter().for_each(|session| place.complete(session, &song));
    let refused = create(first).unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::QueueFull);
    assert!(refused.remedy().contains("--max-client-sessions"));
    create(second).unwrap();
    // Where it is not known, only the limits of all hold.
    create(None).unwrap();
    place.separations.cancel(&sessions[1]);
    place.separations.wait_stopped(&sessions[1]).unwrap();
    create(first).unwrap();
}

#[test]
fn uploads_that_are_stuck_do_not_fill_the_queue() {
    let limits = Limits { queued_sessions: 2, ..LIMITS() };
    let place = Fixture::new(limits, Duration::from_millis(100));
    let song = upload(100);
    let computing = begin(&place.separations, Settings::default(), &song);
    let create = || place.separations.create(Settings::default());
    let stuck: Vec<_> = (0..2).map(|_| create().unwrap().0).collect();
    assert_eq!(create().unwrap_err().reason(), ErrorReason::QueueFull);
    wait_for(|| create().is_ok());
    assert_eq!(place.separations.counts().queued, 2);
    assert_eq!(stuck[0].state(), SessionState::Paused);
    place.separations.cancel(&computing);
}
