//! Reads small chunks of an upload while the one before is stored, and joins them.
//!
//! A chunk is stored by a thread of its own, which takes longer than a small chunk takes to arrive. Chunks that wait
//! unread fill the connection: the HTTP/2 implementation counts small frames that nothing has read, and closes the
//! connection with ENHANCE_YOUR_CALM when there are thousands of them.

use prost::bytes::BytesMut;
use tonic::{Status, Streaming};

use crate::proto::SeparateRequest;
use crate::proto::separate_request::Message;

/// Chunks up to this length are joined. Messages of this length need no memory of the limit for all calls.
const SMALL_BYTES: usize = 4 << 10;

/// Limit of joined chunks, in bytes.
const MAX_BYTES: usize = 32 << 10;

/// What a stream has received before it was asked for.
#[derive(Default)]
pub(super) struct ReadAhead {
    /// Small chunks, joined.
    chunks: BytesMut,
    /// What follows them if it is no small chunk: another message, the end, an error.
    last: Option<Result<Option<SeparateRequest>, Status>>,
}

impl ReadAhead {
    /// The next message. Small chunks that were read ahead are one message.
    pub(super) async fn next(
        &mut self,
        requests: &mut Streaming<SeparateRequest>,
    ) -> Result<Option<SeparateRequest>, Status> {
        if !self.chunks.is_empty() {
            let chunk = Message::Chunk(self.chunks.split().freeze());
            return Ok(Some(SeparateRequest { message: Some(chunk) }));
        }
        match self.last.take() {
            Some(message) => message,
            None => requests.message().await,
        }
    }

    /// Reads on until a chunk of `bytes` bytes is stored. A larger chunk holds memory until the next is read, so
    /// nothing is read beside it.
    pub(super) async fn read_during<T>(
        &mut self,
        requests: &mut Streaming<SeparateRequest>,
        bytes: usize,
        stored: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(stored);
        loop {
            let reads = bytes <= MAX_BYTES + SMALL_BYTES
                && self.last.is_none()
                && self.chunks.len() < MAX_BYTES;
            tokio::select! {
                biased;
                done = &mut stored => return done,
                message = requests.message(), if reads => self.push(message),
            }
        }
    }

    fn push(&mut self, message: Result<Option<SeparateRequest>, Status>) {
        match message {
            Ok(Some(SeparateRequest { message: Some(Message::Chunk(bytes)) }))
                if bytes.len() <= SMALL_BYTES =>
            {
                self.chunks.extend_from_slice(&bytes);
            }
            message => self.last = Some(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tonic::codec::Codec;
    use tonic_prost::ProstCodec;

    use super::*;

    fn request(message: Message) -> SeparateRequest {
        SeparateRequest { message: Some(message) }
    }

    fn chunk(bytes: &[u8]) -> SeparateRequest {
        request(Message::Chunk(bytes.to_vec().into()))
    }

    fn stream(messages: &[SeparateRequest]) -> Streaming<SeparateRequest> {
        let mut body = Vec::new();
        for message in messages {
            body.push(0);
            body.extend((message.encoded_len() as u32).to_be_bytes());
            message.encode(&mut body).unwrap();
        }
        let decoder = ProstCodec::<SeparateRequest, SeparateRequest>::default().decoder();
        Streaming::new_request(decoder, axum::body::Body::from(body), None, None)
    }

    /// What is there once all that can be read ahead is read, message by message.
    async fn received(stored: usize, messages: &[SeparateRequest]) -> Vec<SeparateRequest> {
        let (mut requests, mut ahead) = (stream(messages), ReadAhead::default());
        let mut polls = 0;
        let busy = std::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls > 2 * messages.len() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        });
        ahead.read_during(&mut requests, stored, busy).await;
        let mut received = Vec::new();
        let mut nothing = stream(&[]);
        while let Some(message) = ahead.next(&mut nothing).await.unwrap() {
            received.push(message);
        }
        received
    }

    #[tokio::test]
    async fn small_chunks_are_joined_up_to_what_follows_them() {
        let finish = request(Message::Finish(Default::default()));
        let large = chunk(&[7; SMALL_BYTES + 1]);
        let messages = [chunk(b"ab"), chunk(b""), chunk(b"c"), large.clone(), chunk(b"d")];
        assert_eq!(received(1, &messages).await, [chunk(b"abc"), large]);
        assert_eq!(
            received(1, &[chunk(b"a"), finish.clone(), chunk(b"b")]).await,
            [chunk(b"a"), finish]
        );
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_limit() {
        let messages = vec![chunk(&[1; 1000]); 40];
        assert_eq!(received(1, &messages).await, [chunk(&[1; 33_000])]);
    }

    #[tokio::test]
    async fn nothing_is_read_beside_a_large_chunk() {
        assert_eq!(received(1 << 20, &[chunk(b"a")]).await, []);
    }
}
