use std::fs::File;

use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::*;
use crate::audio::wav::HEADER_BYTES;
use crate::proto::SeparateResponse;
use crate::proto::reason::ChangeReason;
use crate::proto::separate_response::Message;
use crate::server::grpc::outbox::Queued;
use crate::session::lifecycle::State;
use crate::session::manifest::{EngineChange, EngineRecord, Plan};
use crate::session::{Settings, Store};

/// A stem's name or the kind of event; a frame; a number of frames.
type Heard = (String, u64, usize);

/// A session with four stems of 100,000 silent frames, none of them committed.
fn growing(store: &Store) -> Arc<Session> {
    let plan = Plan::for_test(&["drums", "bass", "other", "vocals"]);
    let (session, _) = store.create(Settings::default(), plan).unwrap();
    for stem in &session.manifest().plan.stems {
        let file = File::create(session.layout().growing_stem(stem)).unwrap();
        file.set_len(HEADER_BYTES + 100_000 * 8).unwrap();
    }
    session
}

fn finish(session: &Session, frames: u64) {
    session.update(|manifest| manifest.commit.stems = Frames(frames)).unwrap();
}

fn change(session: &Session, frame: u64, message: &str) {
    let change = EngineChange {
        from: EngineRecord::unknown("a"),
        to: EngineRecord::unknown("b"),
        frame: Frames(frame),
        reason: ChangeReason::EngineFailed,
        message: message.to_owned(),
    };
    session.update(|manifest| manifest.engine_changes.push(change)).unwrap();
}

/// Follows the session from its beginning, for a client that buffers one message.
fn followed(session: &Arc<Session>) -> mpsc::Receiver<Queued<SeparateResponse>> {
    let cursor = EventCursor::begin(session, Frames::ZERO).1;
    followed_from(session, Frames::ZERO, cursor)
}

/// Follows the session from a frame on, for a client that has received events before.
fn followed_from(
    session: &Arc<Session>,
    start: Frames,
    cursor: EventCursor,
) -> mpsc::Receiver<Queued<SeparateResponse>> {
    let form = StemFormat::STORED;
    let readers = all_readers(session, start, form).unwrap();
    let (sender, receiver) = Outbox::with_capacity(1);
    let session = Arc::clone(session);
    tokio::spawn(async move { follow(&session, readers, cursor, &sender, None).await });
    receiver
}

/// Frames and engine changes in order, until a cancelled session ends.
async fn received(mut receiver: mpsc::Receiver<Queued<SeparateResponse>>) -> Vec<Heard> {
    let mut events = Vec::new();
    while let Some((Ok(response), _)) = receiver.recv().await {
        match response.message {
            Some(Message::Stem(chunk)) => {
                events.push((chunk.stem, chunk.start_frame, chunk.pcm.len() / 8));
            }
            Some(Message::EngineChange(change)) => events.push((change.message, change.frame, 0)),
            _ => {}
        }
    }
    events
}

/// One chunk of each stem from the frame `start` on.
fn round(start: u64, frames: usize) -> Vec<Heard> {
    ["drums", "bass", "other", "vocals"].map(|stem| (stem.to_owned(), start, frames)).to_vec()
}

#[tokio::test]
async fn frames_committed_during_a_round_wait_for_the_next() {
    let data = tempfile::tempdir().unwrap();
    let session = growing(&Store::open(data.path()).unwrap());
    finish(&session, 1_000);
    let receiver = followed(&session);
    // The round blocks until the client takes its first stem.
    while receiver.is_empty() {
        yield_now().await;
    }
    finish(&session, 41_000);
    session.end_for_test(State::Cancelled);
    // A message has at most 256 KiB.
    let rounds = [round(0, 1_000), round(1_000, 32_768), round(33_768, 7_232)].concat();
    assert_eq!(received(receiver).await, rounds);
}

#[tokio::test]
async fn an_engine_change_is_sent_before_the_frames_that_it_affects() {
    let data = tempfile::tempdir().unwrap();
    let session = growing(&Store::open(data.path()).unwrap());
    for words in ["first", "second"] {
        change(&session, 0, words);
    }
    let receiver = followed(&session);
    // The first message fills the client's buffer, so the second blocks.
    while receiver.is_empty() {
        yield_now().await;
    }
    change(&session, 500, "third");
    finish(&session, 1_000);
    session.end_for_test(State::Cancelled);
    let changes = [("first", 0), ("second", 0), ("third", 500)];
    let changes = changes.map(|(words, frame)| (words.to_owned(), frame, 0)).to_vec();
    assert_eq!(received(receiver).await, [changes, round(0, 1_000)].concat());
}

#[tokio::test]
async fn changes_after_the_first_event_are_sent() {
    let data = tempfile::tempdir().unwrap();
    let session = growing(&Store::open(data.path()).unwrap());
    change(&session, 100, "before");
    finish(&session, 1_000);
    let (first, cursor) = EventCursor::begin(&session, Frames(900));
    let StreamEvent::Session(first) = first else { panic!("the first event is not the session") };
    assert_eq!(first.engine_changes.len(), 1);
    // Also for engine changes before the requested frames.
    change(&session, 500, "after");
    session.end_for_test(State::Cancelled);
    let receiver = followed_from(&session, Frames(900), cursor);
    let after = [("after".to_owned(), 500, 0)];
    assert_eq!(received(receiver).await, [&after[..], &round(900, 100)[..]].concat());
}
