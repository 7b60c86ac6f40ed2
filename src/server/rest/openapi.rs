//! `GET /openapi.json`: all routes of plain HTTP, for programs.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{Rest, json};

/// A form with a song. All fields but `file` stand before it, or in the address.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "it is only described, never made: forms are read as they come")]
pub(super) struct SeparateForm {
    /// Whether to answer before the stems are made.
    r#async: Option<bool>,
    /// The model; the first of the chain that works if left out.
    model: Option<String>,
    /// Names of stems with commas between; all of the model's and the accompaniment if left out.
    stems: Option<String>,
    /// `streaming` (the default) or `exact`.
    normalization: Option<String>,
    /// How much of a segment overlaps the next, 0 to 0.9.
    overlap: Option<f64>,
    /// Whether another engine may go on where one fails.
    allow_fallback: Option<bool>,
    /// `sum` of the other stems (the default), or the song `minus` its vocals.
    accompaniment: Option<String>,
    /// `average` (the default) or `zeros`: what Spleeter's masks are worth above 11 kHz.
    mask_extension: Option<String>,
    /// Sample rate of the stems: the `model`'s (the default) or that of the `source`.
    rate: Option<String>,
    /// What becomes of the session when its client leaves before the answer: `pause` (the default),
    /// `continue` or `cancel`.
    on_disconnect: Option<String>,
    /// The song.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stemwire",
        description = "Music source separation: a song goes in, its stems come out. Plain HTTP for callers \
                       without gRPC; every refusal is a `Problem`. Every answer has the header \
                       `x-request-id`: the request's own, if it brings one, else a fresh UUID.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    // The others come from the router.
    paths(super::zip::all),
)]
pub(super) struct Document;

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "this document", body = Object)))]
pub(super) async fn document(Extract(rest): Extract<Rest>) -> Response<Body> {
    json(StatusCode::OK, &*rest.document)
}
