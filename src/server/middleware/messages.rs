//! Limits of the messages of gRPC requests: in size, by method; in time; and in memory, for all calls together.
//!
//! A message reaches the method when it is complete. tonic would reserve memory for the length that a message's header
//! announces, and wait for its bytes without limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::stream::try_unfold;
use prost::bytes::BytesMut;
use tokio::time::sleep;
use tokio_stream::StreamExt;

use crate::server::least_rate::{LeastRate, Pace, TooSlow};
use crate::server::memory_budget::{Budget, Charge};
use crate::server::status::{ApiError, to_status};
use crate::server::uploading::MAX_CHUNK_BYTES;

/// Bytes before each message: a flag and the length.
const HEADER_BYTES: usize = 5;

/// Limits of messages, in bytes.
const MAX_HEALTH_BYTES: usize = 4 << 10;
const MAX_BYTES: usize = 64 << 10;
/// A chunk and the fields beside it.
pub(crate) const MAX_CHUNK_MESSAGE_BYTES: usize = MAX_CHUNK_BYTES + MAX_BYTES;

/// MessageLimits up to this length are not charged: there is one of them per call, and the number of calls is limited.
const SMALL_BYTES: usize = 4 << 10;

/// A message whose client has been waited for as long as this gives way to others that wait for memory.
const GIVE_WAY_TIME: Duration = Duration::from_secs(2);

/// What the bodies of all calls share.
#[derive(Debug, Clone)]
pub(crate) struct MessageLimits {
    /// Memory for messages that have not been processed.
    pub(crate) memory: Arc<Budget>,
    /// The least rate of chunks. Any other message has to arrive within the window.
    pub(crate) least_rate: LeastRate,
}

/// What a method accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Method {
    max_bytes: usize,
    /// Whether its messages are chunks of an upload, which take their time on a slow network.
    has_chunks: bool,
    /// Whether the client sends any number of messages, with pauses between them.
    is_stream: bool,
}

impl Method {
    fn at(path: &str) -> Method {
        let (max_bytes, has_chunks, is_stream) = match path {
            "/stemwire.v1.SeparationService/Separate" => (MAX_CHUNK_MESSAGE_BYTES, true, true),
            "/stemwire.v1.SeparationService/UploadChunk" => (MAX_CHUNK_MESSAGE_BYTES, true, false),
            "/stemwire.v1.SeparationService/Health" => (MAX_HEALTH_BYTES, false, false),
            "/stemwire.cluster.v1.TaskService/DeliverTask" => (MAX_CHUNK_MESSAGE_BYTES, true, true),
            path if path.starts_with("/grpc.health.v1.Health/") => (MAX_HEALTH_BYTES, false, false),
            path if path.starts_with("/grpc.reflection.") => (MAX_BYTES, false, true),
            _ => (MAX_BYTES, false, false),
        };
        Method { max_bytes, has_chunks, is_stream }
    }

    fn pace(&self, least_rate: LeastRate) -> Pace {
        match self.has_chunks {
            true => Pace::new(least_rate),
            false => Pace::new(LeastRate { bytes_per_s: u64::MAX, ..least_rate }),
        }
    }
}

/// Passes a request on whose body consists of complete messages.
pub(crate) async fn limit(
    State(messages): State<MessageLimits>,
    request: Request,
    next: Next,
) -> Response {
    let method = Method::at(request.uri().path());
    let charge = Arc::new(Mutex::new(None));
    // A single message is in memory until its call is answered.
    let _held = (!method.is_stream).then(|| Arc::clone(&charge));
    let pace = method.pace(messages.least_rate);
    let request = request.map(|body| {
        let body = body.into_data_stream();
        let (waited, buffer) = (Duration::ZERO, BytesMut::new());
        let reader =
            MessageReader { body, buffer, method, pace, waited, memory: messages.memory, charge };
        Body::from_stream(try_unfold(reader, MessageReader::next))
    });
    next.run(request).await
}

/// Reads a request's messages.
struct MessageReader {
    body: BodyDataStream,
    /// The beginning of the next message.
    buffer: BytesMut,
    method: Method,
    pace: Pace,
    /// Time for which the client has been waited for since the last message.
    waited: Duration,
    memory: Arc<Budget>,
    charge: Arc<Mutex<Option<Charge>>>,
}

impl MessageReader {
    /// The next message with its header.
    async fn next(mut self) -> Result<Option<(Bytes, MessageReader)>, BoxError> {
        loop {
            if let Some(length) = self.length()?
                && self.buffer.len() >= length
            {
                let message = self.buffer.split_to(length).freeze();
                self.waited = Duration::ZERO;
                return Ok(Some((message, self)));
            }
            match self.frame().await? {
                Some(bytes) => {
                    self.buffer.extend_from_slice(&bytes);
                    drop(bytes);
                    self.charge().await?;
                }
                None if self.buffer.is_empty() => return Ok(None),
                // Half a message: tonic reports it.
                None => {
                    let rest = self.buffer.split().freeze();
                    return Ok(Some((rest, self)));
                }
            }
        }
    }

    /// The length of the next message with its header, once that has arrived.
    fn length(&self) -> Result<Option<usize>, BoxError> {
        let Some(&[_, a, b, c, d]) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let (length, limit) = (u32::from_be_bytes([a, b, c, d]) as usize, self.method.max_bytes);
        if length > limit {
            return Err(refusal(ApiError::MessageTooLarge { limit }));
        }
        Ok(Some(HEADER_BYTES + length))
    }

    /// The next bytes from the client. They have to arrive in time unless the client may pause here.
    async fn frame(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.method.is_stream && self.buffer.is_empty() {
            // A message that was passed on before has been processed.
            self.held().take();
            return Ok(self.body.next().await.transpose()?);
        }
        loop {
            let begun = Instant::now();
            let holds_memory = self.charged() > 0;
            let becomes_short = self.memory.becomes_short();
            let limit = match holds_memory && self.memory.is_short() {
                true => self.pace.left().min(GIVE_WAY_TIME.saturating_sub(self.waited)),
                false => self.pace.left(),
            };
            let arrived = tokio::select! {
                frame = self.body.next() => Some(frame.transpose()?),
                () = sleep(limit) => None,
                () = becomes_short, if holds_memory => None,
            };
            let bytes = arrived.iter().flatten().map(Bytes::len).sum();
            self.waited += begun.elapsed();
            let kept_up = self.pace.note(begun.elapsed(), bytes);
            if let Some(arrived) = arrived {
                return Ok(arrived);
            }
            kept_up.map_err(|TooSlow| refusal(ApiError::RequestTooSlow))?;
            if holds_memory && self.memory.is_short() && self.waited >= GIVE_WAY_TIME {
                return Err(refusal(ApiError::ServerBusy));
            }
        }
    }

    /// Takes memory for the whole of a message, unless it is small. If messages took it by and by, they could have all of it
    /// without that one of them is complete.
    async fn charge(&mut self) -> Result<(), BoxError> {
        let held = self.buffer.len();
        if held <= SMALL_BYTES {
            return Ok(());
        }
        let needed = self.length()?.unwrap_or_default().max(held);
        if needed > self.charged() {
            self.held().take();
            let charge = self.memory.take_in_time(needed).await;
            *self.held() = Some(charge.ok_or_else(|| refusal(ApiError::ServerBusy))?);
            self.buffer.reserve(needed - held);
        }
        Ok(())
    }

    fn charged(&self) -> usize {
        self.held().as_ref().map_or(0, Charge::bytes)
    }

    fn held(&self) -> MutexGuard<'_, Option<Charge>> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(error: ApiError) -> BoxError {
    to_status(error).into()
}

#[cfg(test)]
mod tests;
