//! The body of a request that is nothing but bytes.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::http::request::Parts;
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};

use crate::server::rest::metered_body::{BodyError, Meter};
use crate::server::rest::{LINGERING, Rest};
use crate::server::status::ApiError;

/// A body that is read piece by piece, within the limits for uploads.
pub(super) struct Incoming {
    pieces: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    meter: Meter,
    patience: Duration,
    /// Its length as far as the client has announced it.
    least_length: u64,
    /// Whether the client sends it only once it is read.
    is_withheld: bool,
}

impl Incoming {
    /// The head and the body of a request.
    pub(super) fn of(rest: &Rest, request: Request) -> (Parts, Incoming) {
        let (head, body) = request.into_parts();
        let least_length = body.size_hint().lower();
        let (pieces, meter) = rest.metered(body);
        let incoming = Incoming {
            pieces: Box::pin(pieces),
            meter,
            patience: rest.separations.limits().idle_upload,
            least_length,
            is_withheld: head.headers.contains_key(EXPECT),
        };
        (head, incoming)
    }

    /// Its length as far as the client has announced it.
    pub(super) fn least_length(&self) -> u64 {
        self.least_length
    }

    /// The next piece, which counts as buffered until it is [stored](Incoming::stored). `committed` is the length of
    /// the upload, for errors.
    ///
    /// # Errors
    /// `UploadIdle`, `RequestTooSlow`, `ServerBusy`; `UploadUnfinished` if the client has broken off.
    pub(super) async fn next(&mut self, committed: u64) -> Result<Option<Bytes>, ApiError> {
        self.is_withheld = false;
        let seconds = self.patience.as_secs();
        let next = timeout(self.patience, self.pieces.next()).await;
        let next = next.map_err(|_| ApiError::UploadIdle { seconds, committed })?;
        next.transpose().map_err(|error| {
            let refusal = BodyError::of_read(&error).and_then(BodyError::refusal);
            refusal.unwrap_or(ApiError::UploadUnfinished { committed })
        })
    }

    /// Notes that the last piece is stored.
    pub(super) fn stored(&self) {
        self.meter.reset();
    }

    /// Reads and discards what still comes, for a while, so that the client receives a refusal and not a reset.
    pub(super) async fn discard(mut self) {
        if self.is_withheld {
            return;
        }
        let rest = async {
            while let Some(Ok(_)) = self.pieces.next().await {
                self.meter.reset();
            }
        };
        // The rest of the upload is not needed.
        let _ = timeout(LINGERING, rest).await;
    }
}
