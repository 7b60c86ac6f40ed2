//! The body of a forwarded request: what was read of it here, then the rest as it arrives.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::oneshot;

/// The body of a forwarded request. Fails once its answer is dropped, which ends the call at the other gateway.
pub(super) struct RelayedBody {
    read: VecDeque<Bytes>,
    rest: Option<Body>,
    /// `None` once it was dropped.
    answer: Option<oneshot::Receiver<()>>,
    fault: UploadFault,
}

/// Lives as long as the answer of a forwarded request.
pub(super) type AnswerAlive = oneshot::Sender<()>;

/// Why the client's body cannot be read to its end, once that is so.
#[derive(Clone, Default)]
pub(super) struct UploadFault(Arc<Mutex<Option<axum::Error>>>);

/// Why the other gateway gets no more of a body.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum BodyEnd {
    #[error("the body cannot be read")]
    Unreadable,
    #[error("the call has ended")]
    CallEnded,
}

impl UploadFault {
    /// The error, if there is one.
    pub(super) fn take(&self) -> Option<axum::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: axum::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl RelayedBody {
    /// A body of what was `read` and the `rest`, with what its answer holds and the slot for its error.
    pub(super) fn new(
        read: Vec<Bytes>,
        rest: Option<Body>,
    ) -> (RelayedBody, AnswerAlive, UploadFault) {
        let (alive, answer) = oneshot::channel();
        let fault = UploadFault::default();
        (
            RelayedBody { read: read.into(), rest, answer: Some(answer), fault: fault.clone() },
            alive,
            fault,
        )
    }
}

impl HttpBody for RelayedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(answer) = &mut this.answer else { return Poll::Ready(None) };
        if Pin::new(answer).poll(context).is_ready() {
            (this.answer, this.rest) = (None, None);
            return Poll::Ready(Some(Err(axum::Error::new(BodyEnd::CallEnded))));
        }
        if let Some(bytes) = this.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(rest) = &mut this.rest else { return Poll::Ready(None) };
        match Pin::new(rest).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => {
                this.fault.set(error);
                Poll::Ready(Some(Err(axum::Error::new(BodyEnd::Unreadable))))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}
