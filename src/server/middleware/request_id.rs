//! The layer that assigns [request ids](crate::server::request_id).

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::display;

use crate::server::connections::Client;
use crate::server::request_id::{HEADER, RequestId};

/// Assigns ids to requests and adds them to responses.
pub(crate) async fn give(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let method: String = request.method().as_str().chars().take(16).collect();
    let path: String = request.uri().path().chars().take(200).collect();
    let client = request.extensions().get::<Client>().map(|&client| display(client));
    let span = tracing::info_span!("request", %id, client, method, path);
    request.extensions_mut().insert(id.clone());
    let answer = async {
        let mut response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        // The id is visible ASCII, so it is a valid header value.
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(HEADER, id);
        }
        response
    };
    id.scope(answer).instrument(span).await
}
