//! Sends a session's events to a client: stems as they grow, progress, engine changes, the end.

mod cursor;
mod event;

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};
use tonic::Status;
use tracing::Instrument;

pub(super) use cursor::EventCursor;
use event::StreamEvent;

use super::Answers;
use super::chunk::{CHUNK_BYTES, next_chunk};
use super::outbox::{Outbox, outbox};
use crate::audio::Frames;
use crate::proto;
use crate::server::deadline::within;
use crate::server::memory_budget::Budget;
use crate::server::outcome::{end_error, interruption};
use crate::server::status::{ApiError, to_status};
use crate::server::{blocking, convert, lookup};
use crate::session::Session;
use crate::session::live::ReaderGuard;
use crate::session::stem_reader::{StemFormat, StemReader};

/// How [`follow`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// All events have been sent.
    ToTheEnd,
    /// The client has disconnected.
    ClientGone,
    /// Another call has taken over the session.
    TakenOver,
}

/// Opens the stems that a `WatchSession` request selects.
pub(super) fn readers(
    session: &Arc<Session>,
    request: &proto::WatchSessionRequest,
) -> Result<Vec<StemReader>, ApiError> {
    if request.progress_only {
        return Ok(Vec::new());
    }
    let form = convert::stem_format(session, request.encoding, request.gain, request.channels)?;
    convert::check_stem_count(request.stems.len(), "stems")?;
    if request.stems.is_empty() {
        return all_readers(session, Frames::ZERO, form);
    }
    let open = |cursor: &proto::StemCursor| {
        lookup::stem(session, &cursor.stem, convert::frame(cursor.start_frame), form)
    };
    let mut readers: Vec<StemReader> = Vec::with_capacity(request.stems.len());
    for cursor in &request.stems {
        let reader = open(cursor)?;
        if readers.iter().any(|other| other.stem() == reader.stem()) {
            let problem = format!("the stem {} is listed twice", reader.stem());
            return Err(ApiError::Invalid { field: "stems", problem });
        }
        readers.push(reader);
    }
    Ok(readers)
}

/// Opens all stems of a session at one frame.
pub(super) fn all_readers(
    session: &Arc<Session>,
    start: Frames,
    form: StemFormat,
) -> Result<Vec<StemReader>, ApiError> {
    let manifest = session.durable_manifest();
    let open =
        |name: &crate::audio::StemName| Ok(StemReader::open(session, name.as_str(), start, form)?);
    manifest.plan.stems.iter().map(open).collect()
}

/// Serves `WatchSession`.
pub(super) fn watch(
    session: Arc<Session>,
    watching: ReaderGuard,
    readers: Vec<StemReader>,
    deadline: Option<Instant>,
    memory: Arc<Budget>,
) -> Answers<proto::WatchSessionResponse> {
    let (sender, answers) = outbox(memory);
    let work = async move {
        let _watching = watching;
        let (first, cursor) = EventCursor::begin(&session, first_frame(&readers));
        if sender.send(Ok(first.into())).await.is_err() {
            return;
        }
        let following = follow(&session, readers, cursor, &sender, None);
        if within(deadline, following).await.is_none() {
            // The send fails only if the client has disconnected.
            let _ = sender.send(Err(to_status(ApiError::DeadlineExceeded))).await;
        }
    };
    tokio::spawn(work.in_current_span());
    answers
}

/// The lowest position of the readers.
pub(super) fn first_frame(readers: &[StemReader]) -> Frames {
    readers.iter().map(StemReader::position).min().unwrap_or_default()
}

/// Sends the events that a client has not received, until the session has ended. A call that holds the session
/// under the number `call` stops when another call takes over.
pub(super) async fn follow<T: From<StreamEvent>>(
    session: &Arc<Session>,
    mut readers: Vec<StemReader>,
    mut cursor: EventCursor,
    sender: &Outbox<T>,
    call: Option<u64>,
) -> Followed {
    loop {
        let seen = session.notifier().version();
        if call.is_some_and(|call| session.is_taken_from(call)) {
            return Followed::TakenOver;
        }
        // Read before the frames: if the session has ended, no frames follow those read now.
        let state = session.durable_state();
        // Read once for all stems: frames committed during a round would put its later stems ahead.
        let finished = session.durable_progress().finished;
        // Read after the frames and sent before them, so that the client knows the engine of every frame.
        for event in cursor.engine_changes(session) {
            if sender.send(Ok(event.into())).await.is_err() {
                return Followed::ClientGone;
            }
        }
        let pumped = match pump(&mut readers, finished, sender).await {
            Ok(pumped) => pumped,
            Err(Stopped::ClientGone) => return Followed::ClientGone,
            Err(Stopped::Broken(status)) => {
                // The send fails only if the client has disconnected.
                let _ = sender.send(Err(status)).await;
                return Followed::ToTheEnd;
            }
        };
        let Pumped { pumped, recomputing } = pumped;
        // It has not ended if frames that follow are recomputed.
        let ended = state.is_ended() && !recomputing;
        let mut events: Vec<StreamEvent> = cursor.progress(session, pumped).into_iter().collect();
        if ended && !pumped {
            events.push(StreamEvent::Done(convert::session(session)));
        }
        for event in events {
            if sender.send(Ok(event.into())).await.is_err() {
                return Followed::ClientGone;
            }
        }
        if pumped {
            continue;
        }
        if ended {
            let beyond = || readers.iter().find_map(|reader| reader.check_start().err());
            if let Some(error) = end_error(session).or_else(|| beyond().map(ApiError::from)) {
                // The send fails only if the client has disconnected.
                let _ = sender.send(Err(to_status(error))).await;
            }
            return Followed::ToTheEnd;
        }
        if let Some(error) = interruption(session) {
            // The send fails only if the client has disconnected.
            let _ = sender.send(Err(to_status(error))).await;
            return Followed::ToTheEnd;
        }
        tokio::select! {
            _ = poll_fn(|context| session.notifier().poll_newer(context, seen)) => {}
            () = sleep_until(cursor.next_progress()) => {}
            () = sender.closed() => return Followed::ClientGone,
        }
    }
}

/// What a round has sent.
#[derive(Debug, Default, Clone, Copy)]
struct Pumped {
    /// Whether there was a chunk.
    pumped: bool,
    /// Whether there was damage that is being repaired.
    recomputing: bool,
}

enum Stopped {
    ClientGone,
    Broken(Status),
}

/// Sends one chunk of each stem with frames before `end`, so that the stems advance together.
async fn pump<T: From<StreamEvent>>(
    readers: &mut Vec<StemReader>,
    end: Frames,
    sender: &Outbox<T>,
) -> Result<Pumped, Stopped> {
    let mut round = Pumped::default();
    for index in 0..readers.len() {
        if readers[index].position() >= end {
            continue;
        }
        let charge = sender.charge(CHUNK_BYTES).await.map_err(|_| Stopped::ClientGone)?;
        let mut reader = readers.remove(index);
        let (reader, chunk) = blocking::run(move || {
            let chunk = next_chunk(&mut reader, end);
            (reader, chunk)
        })
        .await
        .map_err(Stopped::Broken)?;
        readers.insert(index, reader);
        let chunk = match chunk {
            Err(error) if error.is_recomputing() => {
                round.recomputing = true;
                continue;
            }
            Err(error) => return Err(Stopped::Broken(to_status(error.into()))),
            Ok(None) => continue,
            Ok(Some(chunk)) => chunk,
        };
        round.pumped = true;
        let message = StreamEvent::Stem(chunk).into();
        let sent = sender.send_charged(message, Some(charge)).await;
        sent.map_err(|_| Stopped::ClientGone)?;
    }
    Ok(round)
}

#[cfg(test)]
mod tests;
