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

use crate::server::budget::{Budget, Charge};
use crate::server::pace::{LeastRate, Pace, TooSlow};
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
mod tests {
    use tokio_stream::wrappers::ReceiverStream;
    use tonic::{Code, Status};

    use super::*;

    const METHOD: Method = Method { max_bytes: 100, has_chunks: true, is_stream: true };

    fn reader(method: Method, frames: &[&[u8]], is_ended: bool) -> MessageReader {
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        for frame in frames {
            sender.try_send(Ok::<_, BoxError>(Bytes::copy_from_slice(frame))).unwrap();
        }
        if !is_ended {
            // The channel stays open.
            std::mem::forget(sender);
        }
        let least = LeastRate { bytes_per_s: 1, window: Duration::from_millis(20) };
        MessageReader {
            body: Body::from_stream(ReceiverStream::new(receiver)).into_data_stream(),
            buffer: BytesMut::new(),
            method,
            pace: method.pace(least),
            waited: Duration::ZERO,
            memory: Arc::new(Budget::new(1 << 20)),
            charge: Arc::default(),
        }
    }

    async fn check(frames: &[&[u8]], expected: &[&[u8]]) {
        let mut reader = reader(METHOD, frames, true);
        for message in expected {
            let (bytes, next) = reader.next().await.unwrap().unwrap();
            assert_eq!(bytes, *message, "{frames:?}");
            reader = next;
        }
        assert!(reader.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn messages_are_passed_on_whole() {
        check(&[b"\0\0\0\0\x02ab"], &[b"\0\0\0\0\x02ab"]).await;
        check(&[b"\0\0\0", b"\0\x02a", b"b\0\0\0\0\0"], &[b"\0\0\0\0\x02ab", b"\0\0\0\0\0"]).await;
        check(&[], &[]).await;
        check(&[b"\0\0\0\0\x09ab"], &[b"\0\0\0\0\x09ab"]).await;
    }

    async fn code(method: Method, frames: &[&[u8]]) -> Code {
        let mut reader = reader(method, frames, false);
        loop {
            match reader.next().await {
                Ok(Some((_, next))) => reader = next,
                Ok(None) => return Code::Ok,
                Err(error) => return error.downcast_ref::<Status>().unwrap().code(),
            }
        }
    }

    #[tokio::test]
    async fn a_message_is_refused_by_its_header() {
        assert_eq!(code(METHOD, &[b"\0\0\0\0\x65"]).await, Code::OutOfRange);
        assert_eq!(code(METHOD, &[b"\0\xff\xff\xff\xff"]).await, Code::OutOfRange);
    }

    #[tokio::test]
    async fn a_message_that_has_begun_must_arrive() {
        assert_eq!(code(METHOD, &[b"\0"]).await, Code::DeadlineExceeded);
        assert_eq!(code(METHOD, &[b"\0\0\0\0\x09ab"]).await, Code::DeadlineExceeded);
        // The only message of a call, and the end behind it.
        let single = Method { is_stream: false, ..METHOD };
        assert_eq!(code(single, &[]).await, Code::DeadlineExceeded);
        assert_eq!(code(single, &[b"\0\0\0\0\x01a"]).await, Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_stream_may_pause_between_messages() {
        let paused = code(METHOD, &[b"\0\0\0\0\x01a"]);
        assert!(tokio::time::timeout(Duration::from_millis(100), paused).await.is_err());
    }

    #[tokio::test]
    async fn messages_share_memory() {
        let method = Method { max_bytes: 2 * SMALL_BYTES, ..METHOD };
        let large = [&b"\0\0\0\x10\x01"[..], &[0; 0x1001]].concat();
        let mut one = reader(method, &[&large], true);
        one.memory = Arc::new(Budget::new(2 * SMALL_BYTES as u64));
        let mut other = reader(method, &[&large], true);
        other.memory = Arc::clone(&one.memory);
        let (_, one) = one.next().await.unwrap().unwrap();
        let error = other.next().await.err().unwrap();
        assert_eq!(error.downcast_ref::<Status>().unwrap().code(), Code::ResourceExhausted);
        let memory = Arc::clone(&one.memory);
        // When the next message is asked for, the one before has been processed.
        assert!(one.next().await.unwrap().is_none());
        assert!(memory.try_take(2 * SMALL_BYTES).is_some());
    }
}
