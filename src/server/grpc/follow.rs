//! Telling a client what happens to a session: its stems as they grow, its progress, its end.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument;

use super::Answers;
use crate::audio::{Encoding, Frames};
use crate::server::deadline::within;
use crate::server::ending::{end_error, forsaken};
use crate::server::reading::open;
use crate::server::status::{ApiError, to_status};
use crate::server::{blocking, convert};
use crate::session::Session;
use crate::session::manifest::EngineChange;
use crate::session::tail::{Form, StemReader};
use crate::wire;
use crate::wire::separate_response::Message as SeparateMessage;
use crate::wire::watch_session_response::Message as WatchMessage;

/// Messages that are ready and not taken: what a client that does not read costs.
pub(super) const MESSAGES_AHEAD: usize = 2;

/// Bytes of PCM in one message at most.
const PCM_BYTES: u64 = 256 * 1024;

/// `Progress` comes at least this often, and at most that often.
const PROGRESS_AT_LEAST: Duration = Duration::from_secs(4);
const PROGRESS_AT_MOST: Duration = Duration::from_millis(200);

/// Something that happened to a session.
pub(super) enum Event {
    Session(wire::Session),
    Progress(wire::Progress),
    Stem(wire::StemChunk),
    EngineChange(wire::EngineChange),
    Done(wire::Session),
}

impl From<Event> for wire::SeparateResponse {
    fn from(event: Event) -> wire::SeparateResponse {
        let message = match event {
            Event::Session(session) => SeparateMessage::Session(session),
            Event::Progress(progress) => SeparateMessage::Progress(progress),
            Event::Stem(chunk) => SeparateMessage::Stem(chunk),
            Event::EngineChange(change) => SeparateMessage::EngineChange(change),
            Event::Done(session) => SeparateMessage::Done(session),
        };
        wire::SeparateResponse { message: Some(message) }
    }
}

impl From<Event> for wire::WatchSessionResponse {
    fn from(event: Event) -> wire::WatchSessionResponse {
        let message = match event {
            Event::Session(session) => WatchMessage::Session(session),
            Event::Progress(progress) => WatchMessage::Progress(progress),
            Event::Stem(chunk) => WatchMessage::Stem(chunk),
            Event::EngineChange(change) => WatchMessage::EngineChange(change),
            Event::Done(session) => WatchMessage::Done(session),
        };
        wire::WatchSessionResponse { message: Some(message) }
    }
}

/// Where the events go.
pub(super) type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// The client has been told everything.
    ToTheEnd,
    /// The client has gone.
    ClientGone,
    /// Another call has the session now.
    TakenOver,
}

/// Opens the stems that a watcher wants.
pub(super) fn readers(
    session: &Arc<Session>,
    request: &wire::WatchSessionRequest,
) -> Result<Vec<StemReader>, ApiError> {
    if request.progress_only {
        return Ok(Vec::new());
    }
    let form = convert::form(session, request.encoding, request.gain)?;
    convert::check_stem_count(request.stems.len(), "stems")?;
    if request.stems.is_empty() {
        return all_readers(session, Frames::ZERO, form);
    }
    let open = |cursor: &wire::StemCursor| {
        open(session, &cursor.stem, convert::frame(cursor.start_frame), form)
    };
    request.stems.iter().map(open).collect()
}

/// Opens all stems of a session from one frame on.
pub(super) fn all_readers(
    session: &Arc<Session>,
    start: Frames,
    form: Form,
) -> Result<Vec<StemReader>, ApiError> {
    let manifest = session.manifest();
    let open =
        |name: &crate::audio::StemName| Ok(StemReader::open(session, name.as_str(), start, form)?);
    manifest.plan.stems.iter().map(open).collect()
}

/// Follows a session for a client that only watches.
pub(super) fn watch(
    session: Arc<Session>,
    readers: Vec<StemReader>,
    deadline: Option<Instant>,
) -> Answers<wire::WatchSessionResponse> {
    let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
    // Whoever watches, also without stems, keeps the session from resting when its sender leaves.
    let watching = session.reading();
    let work = async move {
        let _watching = watching;
        let first = Event::Session(convert::session(&session));
        if sender.send(Ok(first.into())).await.is_err() {
            return;
        }
        let following = follow(&session, readers, &sender, None);
        if within(deadline, following).await.is_none() {
            // A client that has gone needs no answer.
            let _ = sender.send(Err(to_status(ApiError::DeadlineExceeded))).await;
        }
    };
    tokio::spawn(work.in_current_span());
    Box::pin(ReceiverStream::new(receiver))
}

/// Tells a client everything until the session has ended. A call that holds the session by the number
/// `call` stops when another takes it.
pub(super) async fn follow<T: From<Event>>(
    session: &Arc<Session>,
    mut readers: Vec<StemReader>,
    sender: &Sender<T>,
    call: Option<u64>,
) -> Followed {
    // Whoever begins amid the stems has what was told before, in the session that came first.
    let start = readers.iter().map(StemReader::position).min().unwrap_or_default();
    let mut told = Told::new(session, start);
    loop {
        let seen = session.signal().version();
        if call.is_some_and(|call| !session.is_held_by(call)) {
            return Followed::TakenOver;
        }
        // Looked at before reading: what is there then is all that there will be.
        let state = session.state();
        // Before the frames that the new engine has a part in.
        for event in told.engine_changes(session) {
            if sender.send(Ok(event.into())).await.is_err() {
                return Followed::ClientGone;
            }
        }
        let pumped = match pump(&mut readers, sender).await {
            Ok(pumped) => pumped,
            Err(Stopped::ClientGone) => return Followed::ClientGone,
            Err(Stopped::Broken(status)) => {
                // A client that has gone needs no answer.
                let _ = sender.send(Err(status)).await;
                return Followed::ToTheEnd;
            }
        };
        let mut events: Vec<Event> = told.progress(session, pumped).into_iter().collect();
        if state.is_ended() && !pumped {
            events.push(Event::Done(convert::session(session)));
        }
        for event in events {
            if sender.send(Ok(event.into())).await.is_err() {
                return Followed::ClientGone;
            }
        }
        if pumped {
            continue;
        }
        if state.is_ended() {
            if let Some(error) = end_error(session) {
                // A client that has gone needs no answer.
                let _ = sender.send(Err(to_status(error))).await;
            }
            return Followed::ToTheEnd;
        }
        if let Some(error) = forsaken(session) {
            // A client that has gone needs no answer.
            let _ = sender.send(Err(to_status(error))).await;
            return Followed::ToTheEnd;
        }
        tokio::select! {
            _ = poll_fn(|context| session.signal().poll_newer(context, seen)) => {}
            () = sleep_until(told.next_progress()) => {}
            () = sender.closed() => return Followed::ClientGone,
        }
    }
}

enum Stopped {
    ClientGone,
    Broken(Status),
}

/// Sends one piece of each stem, so that they advance together; answers whether there was any.
async fn pump<T: From<Event>>(
    readers: &mut Vec<StemReader>,
    sender: &Sender<T>,
) -> Result<bool, Stopped> {
    let mut pumped = false;
    for index in 0..readers.len() {
        let mut reader = readers.remove(index);
        let (reader, chunk) = blocking::run(move || {
            let chunk = next_chunk(&mut reader);
            (reader, chunk)
        })
        .await
        .map_err(Stopped::Broken)?;
        readers.insert(index, reader);
        let Some(chunk) = chunk.map_err(Stopped::Broken)? else { continue };
        pumped = true;
        sender.send(Ok(Event::Stem(chunk).into())).await.map_err(|_| Stopped::ClientGone)?;
    }
    Ok(pumped)
}

/// The next message of a stem, where there are frames for one.
pub(super) fn next_chunk(reader: &mut StemReader) -> Result<Option<wire::StemChunk>, Status> {
    // As many frames for every encoding, so that stems of any form advance together.
    let most = Frames(PCM_BYTES / crate::audio::wav::frame_bytes(Encoding::F32Le));
    next_chunk_of(reader, most)
}

/// The next message of a stem with at most so many frames, where there are frames for one.
pub(super) fn next_chunk_of(
    reader: &mut StemReader,
    most: Frames,
) -> Result<Option<wire::StemChunk>, Status> {
    let stem = reader.stem().to_string();
    let piece = reader
        .read(most)
        .map_err(|error| to_status(crate::session::failure::SessionError::Storage(error).into()))?;
    Ok((piece.frames > Frames::ZERO).then(|| wire::StemChunk {
        stem,
        start_frame: piece.start.0,
        pcm: piece.bytes.into(),
        clipped_samples: piece.clipped,
    }))
}

/// The most frames of one message.
pub(super) fn most_frames() -> Frames {
    Frames(PCM_BYTES / crate::audio::wav::frame_bytes(Encoding::F32Le))
}

/// What a client has been told.
struct Told {
    progress: wire::Progress,
    at: Instant,
    engine_changes: usize,
}

impl Told {
    /// The client has the session as it is now, and knows of the changes before frame `start`.
    fn new(session: &Session, start: Frames) -> Told {
        let before = |change: &&EngineChange| change.frame < start;
        Told {
            progress: convert::progress(session.progress()),
            at: Instant::now(),
            engine_changes: session.manifest().engine_changes.iter().take_while(before).count(),
        }
    }

    fn engine_changes(&mut self, session: &Session) -> Vec<Event> {
        let manifest = session.manifest();
        let new: &[EngineChange] =
            manifest.engine_changes.get(self.engine_changes..).unwrap_or(&[]);
        self.engine_changes += new.len();
        new.iter().map(|change| Event::EngineChange(convert::engine_change(change))).collect()
    }

    /// The progress, where it is news or due.
    fn progress(&mut self, session: &Session, pumped: bool) -> Option<Event> {
        let progress = convert::progress(session.progress());
        let waited = self.at.elapsed();
        let news = progress.finished_frames != self.progress.finished_frames
            || progress.state != self.progress.state
            || progress.queue_position != self.progress.queue_position
            || waited > PROGRESS_AT_MOST && progress != self.progress;
        let due = waited >= PROGRESS_AT_LEAST || (news && (!pumped || waited > PROGRESS_AT_MOST));
        due.then(|| {
            self.progress = progress;
            self.at = Instant::now();
            Event::Progress(progress)
        })
    }

    fn next_progress(&self) -> Instant {
        self.at + PROGRESS_AT_LEAST
    }
}
