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
