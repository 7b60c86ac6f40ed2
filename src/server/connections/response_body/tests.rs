//! Tests of the response body.

use std::net::IpAddr;

use axum::BoxError;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::limits::ConnectionLimits;
use super::super::registry::Registry;
use super::*;

const FRAME: usize = 100 << 10;

/// An answer of media type `kind` with one frame, whose sender stays open; the answer as the watchdog sees it.
async fn sent(
    kind: &'static str,
    unsent: &Arc<Budget>,
) -> (ResponseBody, Arc<dyn Answer>, mpsc::Sender<Result<Bytes, BoxError>>) {
    let registry = Arc::new(Registry::new(ConnectionLimits::default()));
    let registration = registry.admit(IpAddr::from([127, 0, 0, 1]), false).unwrap();
    let connection = Arc::clone(registration.connection());
    let (sender, receiver) = mpsc::channel(4);
    sender.send(Ok(Bytes::from(vec![7; FRAME]))).await.unwrap();
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
    let trailers = HeaderMap::from_iter([(CONTENT_TYPE, "x".parse().unwrap())]);
    let body = ResponseBody::new(
        Body::from_stream(ReceiverStream::new(receiver)),
        &headers,
        OpenCall::begin(&connection, connection.client(), &registry),
        Some(Arc::clone(unsent)),
        &Arc::new(trailers),
    );
    let answer = connection.answers().pop().unwrap();
    (body, answer, sender)
}

async fn data(body: &mut ResponseBody) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn a_frame_is_sent_in_pieces_and_charged_until_all_are_gone() {
    let unsent = Arc::new(Budget::new(2 * FRAME_BYTES as u64));
    let (mut body, answer, sender) = sent("audio/wav", &unsent).await;
    assert!(answer.unread_since().is_none());
    let pieces = [data(&mut body).await, data(&mut body).await];
    assert_eq!(pieces.each_ref().map(Bytes::len), [PIECE_BYTES, FRAME - PIECE_BYTES]);
    assert!(unsent.try_take(2 * FRAME_BYTES).is_none());
    drop(sender);
    let [one, other] = pieces;
    drop(one);
    // What hyper buffers is unread, even if it asks for more.
    assert!(body.frame().await.is_none() && answer.unread_since().is_some());
    drop(other);
    assert!(answer.unread_since().is_none() && unsent.try_take(2 * FRAME_BYTES).is_some());
}

#[tokio::test]
async fn a_body_that_has_ended_is_unread_until_its_pieces_are_gone() {
    let unsent = Arc::new(Budget::new(u64::MAX));
    let (mut body, answer, sender) = sent("audio/wav", &unsent).await;
    let piece = data(&mut body).await;
    drop((body, sender));
    assert!(answer.unread_since().is_some());
    assert!(!answer.cut() && answer.holds_memory_after_cut());
    drop(piece);
    assert!(answer.unread_since().is_none() && !answer.holds_memory_after_cut());
}

#[tokio::test]
async fn a_frame_beyond_the_expected_size_is_charged_in_full() {
    let unsent = Arc::new(Budget::new(4 * FRAME_BYTES as u64));
    let (mut body, _, sender) = sent("audio/wav", &unsent).await;
    data(&mut body).await;
    data(&mut body).await;
    sender.send(Ok(Bytes::from(vec![7; 3 * FRAME_BYTES]))).await.unwrap();
    let _piece = data(&mut body).await;
    assert!(unsent.try_take(FRAME_BYTES).is_some());
    assert!(unsent.try_take(2 * FRAME_BYTES).is_none());
}

#[tokio::test]
async fn an_answer_that_is_cut_gives_back_all_but_its_last_piece() {
    let unsent = Arc::new(Budget::new(FRAME_BYTES as u64));
    let (mut body, answer, sender) = sent("application/grpc", &unsent).await;
    let piece = data(&mut body).await;
    answer.cut();
    assert!(answer.holds_memory_after_cut() && sender.is_closed());
    assert!(unsent.try_take(FRAME_BYTES).is_none());
    drop(piece);
    assert!(unsent.try_take(FRAME_BYTES).is_some());
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_download_that_is_cut_ends_with_an_error() {
    let unsent = Arc::new(Budget::new(u64::MAX));
    let (mut body, answer, _sender) = sent("audio/wav", &unsent).await;
    data(&mut body).await;
    answer.cut();
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn an_answer_waits_for_memory() {
    let unsent = Arc::new(Budget::new(FRAME_BYTES as u64));
    let (mut body, _, _sender) = sent("audio/wav", &unsent).await;
    let all = unsent.try_take(FRAME_BYTES);
    let give_back = async {
        unsent.becomes_short().await;
        drop(all);
    };
    let ((), piece) = tokio::join!(give_back, data(&mut body));
    assert_eq!(piece.len(), PIECE_BYTES);
}
