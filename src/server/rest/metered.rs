//! A request's body, handed to the parser of forms piece by piece.
//!
//! The parser takes in all that it is offered before it looks at any of it, and looks for the end of a
//! field's headers however far away that is. So it is offered one piece at a time, and what it
//! takes without giving anything back is limited.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use tokio_stream::Stream;

/// Bytes that the parser may take without giving anything back: the headers of a field, generously,
/// and one piece of the transport's.
const MAX_TAKEN: u64 = 2 << 20;

/// The body as the parser sees it.
pub(super) struct Metered {
    inner: BodyDataStream,
    taken: Arc<AtomicU64>,
    /// A piece was given; the parser shall look at it before it gets the next.
    gave: bool,
}

/// Says that the parser has given something back.
#[derive(Clone)]
pub(super) struct Meter(Arc<AtomicU64>);

/// The body and its meter.
pub(super) fn metered(body: Body) -> (Metered, Meter) {
    let taken = Arc::new(AtomicU64::new(0));
    let meter = Meter(Arc::clone(&taken));
    (Metered { inner: body.into_data_stream(), taken, gave: false }, meter)
}

impl Meter {
    /// Begins to count anew.
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
                    let text = "a field's headers, or what is before the first field, have no end";
                    return Some(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                Some(Ok(bytes))
            }
            Err(error) => Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))),
        })
    }
}
