//! Keeps what is read of a request's body, so that the request can be made again at another gateway.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// How much is kept. Beyond it, nothing is: the handler has accepted the request by then.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct RecordingLimit {
    pub(in crate::server) frames: usize,
    pub(in crate::server) bytes: usize,
}

/// The body that the handler reads.
pub(super) struct RecordedBody(Arc<Mutex<RecordedParts>>);

/// What the handler has read of a body, and the rest of it.
pub(super) struct Recording(Arc<Mutex<RecordedParts>>);

/// A body in two parts.
struct RecordedParts {
    /// What was read; `None` if it was too much.
    read: Option<Vec<Bytes>>,
    read_bytes: usize,
    limit: RecordingLimit,
    /// `None` once it has ended or was taken.
    rest: Option<Body>,
}

/// Records the body of a request.
pub(super) fn record(body: Body, limit: RecordingLimit) -> (RecordedBody, Recording) {
    let parts = RecordedParts { read: Some(Vec::new()), read_bytes: 0, limit, rest: Some(body) };
    let parts = Arc::new(Mutex::new(parts));
    (RecordedBody(Arc::clone(&parts)), Recording(parts))
}

impl Recording {
    /// What was read, and the rest, which the handler can no longer read. `None` if too much was read.
    pub(super) fn take(self) -> Option<(Vec<Bytes>, Option<Body>)> {
        let mut parts = lock(&self.0);
        Some((parts.read.take()?, parts.rest.take()))
    }
}

impl Drop for Recording {
    /// Nothing needs to be kept any more.
    fn drop(&mut self) {
        lock(&self.0).read = None;
    }
}

impl RecordedParts {
    fn keep(&mut self, bytes: &Bytes) {
        let Some(read) = &mut self.read else { return };
        self.read_bytes += bytes.len();
        match read.len() < self.limit.frames && self.read_bytes <= self.limit.bytes {
            true => read.push(bytes.clone()),
            false => self.read = None,
        }
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut parts = lock(&self.0);
        let Some(rest) = &mut parts.rest else { return Poll::Ready(None) };
        let polled = Pin::new(rest).poll_frame(context);
        match &polled {
            Poll::Ready(None) => parts.rest = None,
            Poll::Ready(Some(Ok(frame))) => {
                frame.data_ref().into_iter().for_each(|bytes| parts.keep(bytes));
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).rest.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

fn lock(parts: &Mutex<RecordedParts>) -> MutexGuard<'_, RecordedParts> {
    // Both parts are consistent at any time.
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio_stream::iter;

    use super::*;

    fn body(frames: &[&'static str]) -> Body {
        let frames: Vec<_> = frames.iter().map(|frame| Ok::<_, axum::Error>(*frame)).collect();
        Body::from_stream(iter(frames))
    }

    /// Reads `count` frames, and then both parts.
    async fn check(limit: (usize, usize), count: usize, expected: Option<(&[&str], &str)>) {
        let limit = RecordingLimit { frames: limit.0, bytes: limit.1 };
        let (mut recorded, recording) = record(body(&["one", "two", "three"]), limit);
        for _ in 0..count {
            let _ = recorded.frame().await;
        }
        let Some((read, rest)) = recording.take() else {
            assert!(expected.is_none());
            return;
        };
        let rest = match rest {
            Some(rest) => rest.collect().await.unwrap().to_bytes(),
            None => Bytes::new(),
        };
        let (expected, expected_rest) = expected.unwrap();
        assert_eq!(read, expected);
        assert_eq!(rest, expected_rest);
        assert!(recorded.frame().await.is_none());
    }

    #[tokio::test]
    async fn what_was_read_and_the_rest_are_the_whole() {
        check((9, 99), 0, Some((&[], "onetwothree"))).await;
        check((9, 99), 1, Some((&["one"], "twothree"))).await;
        check((9, 99), 4, Some((&["one", "two", "three"], ""))).await;
    }

    #[tokio::test]
    async fn nothing_is_kept_beyond_the_limits() {
        check((1, 99), 1, Some((&["one"], "twothree"))).await;
        check((1, 99), 2, None).await;
        check((9, 6), 2, Some((&["one", "two"], "three"))).await;
        check((9, 5), 2, None).await;
    }
}
