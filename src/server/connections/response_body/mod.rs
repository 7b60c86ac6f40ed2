//! The body of an answer: charged while the client reads it, and cut if the client stops reading.
//!
//! hyper asks for the next frame when it can send or buffer one. A frame is charged on the budget for unsent bytes before
//! it is produced, and until its bytes have been written or dropped. The connection has a list of the [`Answer`]s that are
//! being sent, so that the watchdog can [cut](Answer::cut) one whose client does not read: hyper would not ask for another
//! frame.

mod reading;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use hyper::body::{Frame, SizeHint};

use super::connection::{Answer, Client};
use super::open_call::OpenCall;
use crate::server::memory_budget::{Budget, Charge};
use reading::{Reading, piece};

/// Charged for a frame before its length is known: a message of 256 KiB and what is around it.
const FRAME_BYTES: usize = 260 << 10;

/// Frames are sent in pieces of this length, so that reading a few of them counts as progress.
const PIECE_BYTES: usize = 64 << 10;

/// Frames up to this length are not charged: hyper buffers few of them for a call, and the number of calls is limited.
const SMALL_BYTES: usize = 4 << 10;

/// The body of an answer.
pub(super) struct ResponseBody(Arc<SentAnswer>);

/// What is shared by a body, its unsent pieces and the watchdog.
pub(super) struct SentAnswer {
    client: Client,
    state: Mutex<AnswerState>,
    reading: Reading,
    /// The budget on which frames are charged; `None` for answers that are not charged.
    unsent: Option<Arc<Budget>>,
    /// The trailers with which a gRPC answer ends that is cut.
    cut_trailers: Option<Arc<HeaderMap>>,
}

struct AnswerState {
    /// `None` once it has ended or was cut.
    body: Option<Body>,
    /// The call is open as long as its body.
    call: Option<OpenCall>,
    /// A frame that is larger than expected, and not charged yet.
    uncharged: Option<Bytes>,
    /// The rest of a frame, and its charge.
    rest: (Bytes, Option<Charge>),
    waiting: Option<Pin<Box<dyn Future<Output = Charge> + Send>>>,
    was_cut: bool,
    /// Whether an answer that was cut before its end has to end for the client.
    end_is_due: bool,
}

/// What a body has produced.
enum Produced {
    Data(Bytes, Option<Charge>),
    Trailers(Frame<Bytes>),
}

impl ResponseBody {
    /// A body that answers `call`, charged on `unsent`; a gRPC answer ends with `cut_trailers` if it is cut.
    pub(super) fn new(
        body: Body,
        headers: &HeaderMap,
        call: OpenCall,
        unsent: Option<Arc<Budget>>,
        cut_trailers: &Arc<HeaderMap>,
    ) -> ResponseBody {
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        let has_trailers = matches!(kind, Some(b"application/grpc" | b"application/grpc+proto"));
        let (client, connection) = (call.client(), Arc::clone(call.connection()));
        let state = AnswerState {
            body: Some(body),
            call: Some(call),
            uncharged: None,
            rest: (Bytes::new(), None),
            waiting: None,
            was_cut: false,
            end_is_due: false,
        };
        let cut_trailers = has_trailers.then(|| Arc::clone(cut_trailers));
        let (state, reading) = (Mutex::new(state), Reading::new());
        let sent = Arc::new(SentAnswer { client, state, reading, unsent, cut_trailers });
        let answer: Arc<dyn Answer> = Arc::clone(&sent) as Arc<dyn Answer>;
        connection.add_answer(Arc::downgrade(&answer));
        ResponseBody(sent)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // Pieces that have not been written keep `SentAnswer` in memory; nothing else is to be read.
        self.0.reading.note_asked();
        let ended = self.0.state().end();
        drop(ended);
    }
}

impl Answer for SentAnswer {
    fn client(&self) -> Client {
        self.client
    }

    fn unread_since(&self) -> Option<Instant> {
        self.reading.unread_since()
    }

    fn cut(&self) -> bool {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            // A frame is being produced.
            Err(TryLockError::WouldBlock) => return false,
        };
        state.was_cut = true;
        let is_open = state.body.is_some();
        state.end_is_due |= is_open;
        let ended = state.end();
        drop(state);
        // Takes locks of the call.
        drop(ended);
        is_open
    }

    fn holds_memory_after_cut(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.was_cut) && self.reading.has_unsent()
    }
}

impl SentAnswer {
    fn state(&self) -> MutexGuard<'_, AnswerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece of a frame that has been produced.
    fn next_piece(self: &Arc<SentAnswer>, state: &mut AnswerState) -> Option<Frame<Bytes>> {
        let (rest, charge) = &mut state.rest;
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.split_to(rest.len().min(PIECE_BYTES));
        let charge = match rest.is_empty() {
            true => charge.take(),
            false => charge.as_mut().and_then(|charge| charge.split(bytes.len())),
        };
        Some(Frame::data(piece(bytes, charge, Arc::clone(self))))
    }
}

impl AnswerState {
    /// Ends the answer. Returns what was to be sent, to be dropped without the lock.
    fn end(&mut self) -> impl Sized + use<> {
        let rest = (self.uncharged.take(), std::mem::take(&mut self.rest));
        (self.body.take(), self.call.take(), rest, self.waiting.take())
    }

    /// Takes memory for a frame, once there is some.
    fn poll_charge(
        &mut self,
        context: &mut Context<'_>,
        unsent: Option<&Arc<Budget>>,
    ) -> Poll<Option<Charge>> {
        let Some(unsent) = unsent else { return Poll::Ready(None) };
        let bytes = self.uncharged.as_ref().map_or(FRAME_BYTES, Bytes::len);
        if self.waiting.is_none() {
            if let Some(charge) = unsent.try_take(bytes) {
                return Poll::Ready(Some(charge));
            }
            let unsent = Arc::clone(unsent);
            self.waiting = Some(Box::pin(async move { unsent.take(bytes).await }));
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let charge = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(Some(charge))
    }

    /// The next bytes of the body with their charge, or its trailers; `None` at its end.
    fn poll_produced(
        &mut self,
        context: &mut Context<'_>,
        unsent: Option<&Arc<Budget>>,
    ) -> Poll<Option<Result<Produced, axum::Error>>> {
        let mut charge = ready!(self.poll_charge(context, unsent));
        if let Some(bytes) = self.uncharged.take() {
            return Poll::Ready(Some(Ok(Produced::Data(bytes, charge))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        // If it is not ready, the charge is given back: the client does not delay this frame.
        let frame = match ready!(Pin::new(body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(trailers) => return Poll::Ready(Some(Ok(Produced::Trailers(trailers)))),
        };
        if bytes.len() > FRAME_BYTES && charge.take().is_some() {
            self.uncharged = Some(bytes);
            return self.poll_produced(context, unsent);
        }
        match &mut charge {
            Some(charge) if bytes.len() > SMALL_BYTES => charge.shrink_to(bytes.len()),
            charge => *charge = None,
        }
        Poll::Ready(Some(Ok(Produced::Data(bytes, charge))))
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let sent = &self.0;
        sent.reading.note_asked();
        let mut state = sent.state();
        if let Some(piece) = sent.next_piece(&mut state) {
            return Poll::Ready(Some(Ok(piece)));
        }
        if std::mem::take(&mut state.end_is_due) {
            return Poll::Ready(Some(match sent.cut_trailers.as_deref() {
                Some(trailers) => Ok(Frame::trailers(trailers.clone())),
                None => Err(axum::Error::new("the client has not read the answer for too long")),
            }));
        }
        if state.body.is_none() {
            return Poll::Ready(None);
        }
        let error = match ready!(state.poll_produced(context, sent.unsent.as_ref())) {
            Some(Ok(Produced::Data(bytes, charge))) => {
                state.rest = (bytes, charge);
                let piece = sent.next_piece(&mut state);
                // An empty frame is no end.
                return Poll::Ready(Some(Ok(piece.unwrap_or_else(|| Frame::data(Bytes::new())))));
            }
            Some(Ok(Produced::Trailers(trailers))) => return Poll::Ready(Some(Ok(trailers))),
            Some(Err(error)) => Some(error),
            None => None,
        };
        let ended = state.end();
        drop(state);
        // Takes locks of the call.
        drop(ended);
        Poll::Ready(error.map(Err))
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.state();
        let is_ended = state.body.as_ref().is_none_or(HttpBody::is_end_stream);
        is_ended && state.rest.0.is_empty() && state.uncharged.is_none() && !state.end_is_due
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.state();
        let uncharged = state.uncharged.as_ref().map_or(0, Bytes::len);
        let rest = (state.rest.0.len() + uncharged) as u64;
        let mut hint = state.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl std::fmt::Debug for SentAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SentAnswer")
    }
}

#[cfg(test)]
mod tests;
