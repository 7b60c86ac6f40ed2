//! The media types of calls to gRPC services: refuses others, and decodes grpc-web-text.
//!
//! grpc-web-text is Base64 in pieces, each of which may end with padding. tonic-web takes a body for one piece.

use axum::BoxError;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, Version};
use axum::middleware::Next;
use axum::response::Response;
use base64::DecodeError;
use base64::engine::{Engine, general_purpose::STANDARD};
use futures_util::stream::try_unfold;
use prost::bytes::BytesMut;
use tokio_stream::StreamExt;

use crate::server::status::{ApiError, respond};

const WEB: HeaderValue = HeaderValue::from_static("application/grpc-web+proto");

/// Characters of Base64 that stand for three bytes.
const GROUP: usize = 4;

/// Passes on calls of gRPC and grpc-web.
pub(crate) async fn check(mut request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        let method = request.method().as_str().chars().take(16).collect();
        let path = request.uri().path().chars().take(200).collect();
        let mut response = respond(&ApiError::MethodUnsupported { method, path });
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    match essence(request.headers()).as_deref() {
        Some("application/grpc" | "application/grpc+proto")
            if request.version() >= Version::HTTP_2 => {}
        // As tonic-web spells it.
        Some("application/grpc-web" | "application/grpc-web+proto") => {
            request.headers_mut().insert(CONTENT_TYPE, WEB);
        }
        // What is answered depends on `accept` alone.
        Some("application/grpc-web-text" | "application/grpc-web-text+proto") => {
            request.headers_mut().insert(CONTENT_TYPE, WEB);
            request.headers_mut().remove(CONTENT_LENGTH);
            request = request.map(decoded);
        }
        given => {
            let kind = given.unwrap_or("requests without a content type");
            let given = format!("{kind} over {:?}", request.version());
            return respond(&ApiError::ContentTypeUnsupported { given });
        }
    }
    next.run(request).await
}

/// The media type without parameters, in lower case.
fn essence(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(essence.chars().take(100).collect())
}

/// The bytes of a body in Base64.
fn decoded(body: Body) -> Body {
    let text = Text { body: body.into_data_stream(), buffer: BytesMut::new() };
    Body::from_stream(try_unfold(text, Text::next))
}

/// A body in Base64, and what of it is not a whole group yet.
struct Text {
    body: BodyDataStream,
    buffer: BytesMut,
}

impl Text {
    /// The bytes of the next groups.
    async fn next(mut self) -> Result<Option<(Bytes, Text)>, BoxError> {
        loop {
            let whole = self.buffer.len() / GROUP * GROUP;
            if whole > 0 {
                let bytes = decode(&self.buffer.split_to(whole))?;
                return Ok(Some((bytes.into(), self)));
            }
            match self.body.next().await.transpose()? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err("the body ends within a group of Base64".into()),
            }
        }
    }
}

/// Decodes whole groups, of which any may be the last of a piece and so be padded.
fn decode(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() / GROUP * 3);
    for piece in text.chunk_by(|&last, &next| last != b'=' || next == b'=') {
        STANDARD.decode_vec(piece, &mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio_stream::iter;

    use super::*;

    async fn check(frames: &[&'static str], expected: Option<&[u8]>) {
        let stream: Vec<_> = frames.iter().map(|frame| Ok::<_, BoxError>(*frame)).collect();
        let whole = decoded(Body::from_stream(iter(stream))).collect().await;
        assert_eq!(whole.ok().map(|whole| whole.to_bytes()).as_deref(), expected, "{frames:?}");
    }

    #[tokio::test]
    async fn each_piece_of_base64_may_be_padded() {
        check(&["AAAAAAA="], Some(&[0; 5])).await;
        check(&["AAAAAAA=AAAAAAA="], Some(&[0; 10])).await;
        check(&["AA==AA==AAAA"], Some(&[0; 5])).await;
        check(&["A", "A=", "=AA", "==", "AAAA"], Some(&[0; 5])).await;
        check(&[], Some(&[])).await;
    }

    #[tokio::test]
    async fn malformed_base64_is_an_error() {
        check(&["AAA"], None).await;
        check(&["A==="], None).await;
        check(&["===="], None).await;
        check(&["AA=A"], None).await;
        check(&["A*AA"], None).await;
    }
}
