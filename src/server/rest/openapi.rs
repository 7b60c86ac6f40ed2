//! `GET /openapi.json`: the description of all routes.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use utoipa::OpenApi;

use super::{Rest, json};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stemwire",
        description = "Music source separation over plain HTTP. Errors are `Problem`s. Every response has the \
        header `x-request-id`: that of the request if it has one, else a new UUID.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    // The router adds the other schemas.
    paths(super::zip::archive, super::ni_stems::file),
)]
pub(super) struct Document;

/// Returns this document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "this document", body = Object)))]
pub(super) async fn document(Extract(rest): Extract<Rest>) -> Response<Body> {
    json(StatusCode::OK, &*rest.document)
}
