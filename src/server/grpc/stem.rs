//! `GetStem`: one stem, from any frame.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::Instrument;

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
use crate::session::stem_reader::StemReader;
use crate::session::{Session, SessionError, SessionState};

/// Messages read per blocking task: the change of threads costs as much as reading one.
const MESSAGES_AT_ONCE: usize = 4;

/// Starts to read a stem.
pub(super) fn start(
    session: &Arc<Session>,
    request: &proto::GetStemRequest,
    deadline: Option<Instant>,
    memory: Arc<Budget>,
) -> Result<Answers<proto::GetStemResponse>, ApiError> {
    let form = convert::stem_format(session, request.encoding, request.gain, request.channels)?;
    let start = convert::frame(request.start_frame);
    let reader = lookup::stem(session, &request.stem, start, form)?;
    let end = match request.frame_count {
        0 => Frames(u64::MAX),
        count => Frames(request.start_frame.saturating_add(count)),
    };
    let (sender, answers) = outbox(memory);
    let session = Arc::clone(session);
    let work = async move {
        let result = within(deadline, read(&session, reader, end, &sender)).await;
        if let Err(error) = result.unwrap_or(Err(ApiError::DeadlineExceeded)) {
            // The send fails only if the client has disconnected.
            let _ = sender.send(Err(to_status(error))).await;
        }
    };
    tokio::spawn(work.in_current_span());
    Ok(answers)
}

/// Sends the frames before `end`, waiting for those that are not committed yet.
async fn read(
    session: &Arc<Session>,
    mut reader: StemReader,
    end: Frames,
    sender: &Outbox<proto::GetStemResponse>,
) -> Result<(), ApiError> {
    loop {
        let seen = session.notifier().version();
        // Read before the frames: if the session has ended, no frames follow those read now.
        let manifest = session.durable_manifest();
        let state = manifest.state();
        if reader.position() >= end {
            return Ok(());
        }
        let Ok(mut charge) = sender.charge(MESSAGES_AT_ONCE * CHUNK_BYTES).await else {
            return Ok(());
        };
        let read = blocking::run(move || {
            let chunks = next_chunks(&mut reader, end);
            (reader, chunks)
        });
        let (returned, chunks) = match read.await {
            Ok(read) => read,
            Err(status) => {
                // The send fails only if the client has disconnected.
                let _ = sender.send(Err(status)).await;
                return Ok(());
            }
        };
        reader = returned;
        let (chunks, recomputing) = match chunks {
            Err(error) if error.is_recomputing() => (Vec::new(), true),
            chunks => (chunks?, false),
        };
        let sent = !chunks.is_empty();
        charge.shrink_to(chunks.iter().map(|chunk| chunk.pcm.len()).sum());
        for chunk in chunks {
            let part = charge.split(chunk.pcm.len());
            let response = proto::GetStemResponse { chunk: Some(chunk) };
            if sender.send_charged(response, part).await.is_err() {
                return Ok(());
            }
        }
        drop(charge);
        if sent {
            continue;
        }
        match state {
            // It is not done: frames that follow are recomputed.
            SessionState::Done if recomputing => {}
            SessionState::Done => return Ok(reader.check_start()?),
            SessionState::Failed | SessionState::Cancelled => {
                return end_error(session).map_or(Ok(()), Err);
            }
            SessionState::Paused if manifest.delay().is_none() => {
                return Err(ApiError::SessionPaused);
            }
            SessionState::Uploading | SessionState::Running | SessionState::Paused => {}
        }
        if let Some(error) = interruption(session) {
            return Err(error);
        }
        tokio::select! {
            _ = poll_fn(|context| session.notifier().poll_newer(context, seen)) => {}
            () = sender.closed() => return Ok(()),
        }
    }
}

/// The next messages before `end`, at most [`MESSAGES_AT_ONCE`].
fn next_chunks(
    reader: &mut StemReader,
    end: Frames,
) -> Result<Vec<proto::StemChunk>, SessionError> {
    let mut chunks = Vec::new();
    while chunks.len() < MESSAGES_AT_ONCE && reader.position() < end {
        match next_chunk(reader, end) {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => break,
            Err(error) if chunks.is_empty() => return Err(error),
            // The error occurs again at the next read, after these messages have been sent.
            Err(_) => break,
        }
    }
    Ok(chunks)
}
