//! Which sessions count for the client that created them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use stemwire::proto::reason::ErrorReason;
use stemwire::separation::{Limits, SeparationError, Separations};
use stemwire::session::{Session, SessionState, Settings};

use super::crashes::{PATIENCE, upload};
use crate::support::environment::{FakeEngine, Fault, TestEnvironment, cards};
use crate::support::pipeline::wait_for;

/// Two sessions for each client.
const LIMITS: fn() -> Limits =
    || Limits { client_sessions: 2, parked_sessions: 0, free_bytes: 0, ..Limits::default() };

fn client(host: u8) -> Option<IpAddr> {
    Some(Ipv4Addr::new(192, 0, 2, host).into())
}

struct Fixture {
    environment: TestEnvironment,
    folder: tempfile::TempDir,
}

impl Fixture {
    /// The engine never returns.
    fn new(limits: Limits) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        cards(&folder.path().join("models"), &[("a", "drums bass other vocals", 32_768)]);
        let engine = FakeEngine { fails: Some((0, Fault::Slow)), ..FakeEngine::default() };
        let environment = TestEnvironment::new(&[("a", engine)]).within(limits);
        Fixture { environment, folder }
    }

    fn open(&self) -> Separations {
        self.open_by(&self.environment)
    }

    fn open_within(&self, limits: Limits) -> Separations {
        self.open_by(&self.environment.clone().within(limits))
    }

    fn open_by(&self, environment: &TestEnvironment) -> Separations {
        let [data, models] = ["data", "models"].map(|name| self.folder.path().join(name));
        environment.separations(&data, &models, &["a"])
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.environment.release();
    }
}

fn create(separations: &Separations, host: u8) -> Arc<Session> {
    separations.create_for(client(host), Settings::default()).unwrap().0
}

#[track_caller]
fn check_refused(separations: &Separations, host: u8) {
    let refused = separations.create_for(client(host), Settings::default()).unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::QueueFull, "{refused}");
    assert!(refused.remedy().contains("--max-client-sessions"), "{refused}");
}

#[test]
fn sessions_of_an_earlier_server_count_for_their_client() {
    let fixture = Fixture::new(LIMITS());
    let separations = fixture.open();
    let song = upload();
    let sessions = [(); 2].map(|()| create(&separations, 1));
    for session in &sessions {
        separations.add_bytes(session, 0, &song).unwrap();
        separations.finish_upload(session, song.len() as u64, None).unwrap();
    }
    separations.close(Instant::now() + PATIENCE);
    drop(separations);
    let separations = fixture.open();
    wait_for(|| separations.counts().open == 2);
    check_refused(&separations, 1);
    create(&separations, 2);
    let first = separations.find(sessions[0].id()).unwrap();
    separations.cancel(&first);
    separations.wait_stopped(&first).unwrap();
    create(&separations, 1);
}

#[test]
fn parallel_creates_take_the_share_of_their_client_and_no_more() {
    const CALLS: usize = 8;
    let limits = Limits { client_sessions: 5, ..LIMITS() };
    let fixture = Fixture::new(limits);
    let separations = fixture.open();
    for host in 1..=4 {
        let begin = Barrier::new(CALLS);
        let call = || {
            begin.wait();
            separations.create_for(client(host), Settings::default()).map(|(session, _)| session)
        };
        let results: Vec<_> = thread::scope(|scope| {
            let calls = [(); CALLS].map(|()| scope.spawn(call));
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        let refused: Vec<_> = refused.map(SeparationError::reason).collect();
        assert_eq!(refused, [ErrorReason::QueueFull; 3]);
        check_refused(&separations, host);
        // A session that has gone makes space for one.
        let first = results.into_iter().find_map(Result::ok).unwrap();
        separations.delete(&first).unwrap();
        create(&separations, host);
        check_refused(&separations, host);
    }
}

#[test]
fn uploads_that_have_hardly_begun_count_until_they_are_replaced() {
    let fixture = Fixture::new(LIMITS());
    let separations = fixture.open();
    let [first, second] = [(); 2].map(|()| create(&separations, 1));
    separations.add_bytes(&second, 0, b"RIFF").unwrap();
    // They leave their places to other clients, and count for theirs.
    wait_for(|| [&first, &second].iter().all(|session| session.state() == SessionState::Paused));
    check_refused(&separations, 1);
    create(&separations, 2);
    separations.close(Instant::now() + PATIENCE);
    drop(separations);

    let separations = fixture.open();
    let found = [&first, &second].map(|session| separations.find(session.id()).unwrap());
    check_refused(&separations, 1);
    // It stays paused, but has begun now.
    separations.add_bytes(&found[1], 0, &upload()[..8192]).unwrap();
    let third = create(&separations, 1);
    check_refused(&separations, 1);
    separations.close(Instant::now() + PATIENCE);
    drop(separations);

    let limits = Limits { idle_upload: Duration::from_millis(1), ..LIMITS() };
    let separations = fixture.open_within(limits);
    // A session counts once it has been read: in the background, or here.
    for session in [&first, &second, &third] {
        separations.find(session.id()).unwrap();
    }
    wait_for(|| separations.create_for(client(1), Settings::default()).is_ok());
    let is_there = |session: &Session| separations.find(session.id()).is_ok();
    assert_eq!([&first, &second, &third].map(|session| is_there(session)), [false, true, true]);
}
