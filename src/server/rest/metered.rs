//! Feeds a request body to the form parser, with a limit on what the parser buffers.
//!
//! multer buffers all available bytes before it parses them, and has no limit for the headers of a field. So it
//! receives one chunk of the body at a time, and the bytes that it buffers without output are limited.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use tokio_stream::Stream;

/// Limit of bytes that the parser may buffer without output: the headers of a field and one chunk of the body.
const MAX_TAKEN: u64 = 2 << 20;

/// The body for the parser.
pub(super) struct Metered {
    inner: BodyDataStream,
    taken: Arc<AtomicU64>,
    /// Whether the parser has yet to process the last chunk.
    gave: bool,
}

/// Resets the count of buffered bytes.
#[derive(Clone)]
pub(super) struct Meter(Arc<AtomicU64>);

/// The body for the parser, and its meter.
pub(super) fn metered(body: Body) -> (Metered, Meter) {
    let taken = Arc::new(AtomicU64::new(0));
    let meter = Meter(Arc::clone(&taken));
    (Metered { inner: body.into_data_stream(), taken, gave: false }, meter)
}

impl Meter {
    /// Resets the count, after output of the parser.
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Stream for Metered {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.gave) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.inner).poll_next(context);
        polled.map(|piece| match piece? {
            Ok(bytes) => {
                self.gave = true;
                let count = bytes.len() as u64;
                if self.taken.fetch_add(count, Ordering::Relaxed) + count > MAX_TAKEN {
                    let text =
                        "the headers of a field, or the text before the first field, are too long";
                    return Some(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                Some(Ok(bytes))
            }
            Err(error) => Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))),
        })
    }
}
