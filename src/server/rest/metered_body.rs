//! Reads a request body, for the form parser and for uploads of bytes, with limits on what the reader buffers and on how
//! slowly the body arrives.
//!
//! multer buffers all available bytes before it parses them, and has no limit for the headers of a field. So it
//! receives one chunk of the body at a time, and the bytes that it buffers without output are limited, for each form
//! and for all calls together.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::stream::try_unfold;
use tokio::task::yield_now;
use tokio_stream::{Stream, StreamExt};

use crate::server::least_rate::{LeastRate, Pace, TooSlow};
use crate::server::memory_budget::{Budget, Charge};
use crate::server::status::ApiError;

/// Limit of bytes that the parser may buffer without output: the headers of a field and one chunk of the body.
const MAX_TAKEN: usize = 2 << 20;

/// Resets the count of buffered bytes.
#[derive(Clone)]
pub(super) struct Meter(Arc<Mutex<Taken>>);

/// Bytes that the parser buffers.
#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    charge: Option<Charge>,
}

/// Why the parser gets no more of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the headers of a field, or the text before the first field, are too long")]
    NoOutput,
    #[error("the body arrives too slowly")]
    TooSlow,
    #[error("there is no memory for the body")]
    Busy,
}

impl BodyError {
    /// The error of a parser that met it.
    pub(super) fn of(error: &multer::Error) -> Option<BodyError> {
        let multer::Error::StreamReadFailed(inner) = error else { return None };
        BodyError::of_read(inner.downcast_ref()?)
    }

    /// The error of a reader that met it.
    pub(super) fn of_read(error: &io::Error) -> Option<BodyError> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// The error for the client; `None` if the body is malformed.
    pub(super) fn refusal(self) -> Option<ApiError> {
        match self {
            BodyError::NoOutput => None,
            BodyError::TooSlow => Some(ApiError::RequestTooSlow),
            BodyError::Busy => Some(ApiError::ServerBusy),
        }
    }
}

/// The body for the parser, and its meter. What the parser buffers is charged on `memory`.
pub(super) fn metered(
    body: Body,
    memory: Arc<Budget>,
    least_rate: LeastRate,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, Meter) {
    let meter = Meter(Arc::default());
    let (body, pace) = (body.into_data_stream(), Pace::new(least_rate));
    let metered = Metered { body, meter: meter.clone(), gave: false, memory, pace };
    (try_unfold(metered, Metered::next), meter)
}

impl Meter {
    /// Resets the count, after output of the parser.
    pub(super) fn reset(&self) {
        *self.taken() = Taken::default();
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // The count is consistent at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body, and what the parser has taken of it.
struct Metered {
    body: BodyDataStream,
    meter: Meter,
    /// Whether a chunk was given that the parser has not looked at yet.
    gave: bool,
    memory: Arc<Budget>,
    pace: Pace,
}

impl Metered {
    /// The next chunk.
    async fn next(mut self) -> io::Result<Option<(Bytes, Metered)>> {
        if std::mem::replace(&mut self.gave, true) {
            yield_now().await;
        }
        let begun = Instant::now();
        let Some(bytes) = self.body.next().await else { return Ok(None) };
        let bytes =
            bytes.map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
        let kept_up = self.pace.note(begun.elapsed(), bytes.len());
        kept_up.map_err(|TooSlow| io::Error::other(BodyError::TooSlow))?;
        if self.meter.taken().bytes + bytes.len() > MAX_TAKEN {
            return Err(io::Error::other(BodyError::NoOutput));
        }
        let charge = self.memory.take_in_time(bytes.len()).await;
        let charge = charge.ok_or_else(|| io::Error::other(BodyError::Busy))?;
        let mut taken = self.meter.taken();
        taken.bytes += bytes.len();
        match &mut taken.charge {
            Some(all) => all.add(charge),
            None => taken.charge = Some(charge),
        }
        drop(taken);
        Ok(Some((bytes, self)))
    }
}
