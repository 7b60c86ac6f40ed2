//! `GET /openapi.json`: the description of all routes.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{Rest, json};

/// Form with a song. Options must precede `file`, or be in the query.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "only documents the form, which is parsed field by field")]
pub(super) struct SeparateForm {
    /// Respond once the upload is complete, not once the stems are done. Default: false.
    r#async: Option<bool>,
    /// Model name. Default: the first working model of the chain.
    model: Option<String>,
    /// Stem names, separated by commas. Default: all stems of the model and the accompaniment.
    stems: Option<String>,
    /// `streaming` (default) or `exact`.
    normalization: Option<String>,
    /// Overlap of consecutive segments, 0 to 0.9.
    overlap: Option<f64>,
    /// Continue with another engine if one fails. Default: true.
    allow_fallback: Option<bool>,
    /// `sum` of the other stems (default) or `minus`: the song minus its vocals.
    accompaniment: Option<String>,
    /// `average` (default) or `zeros`: Spleeter's masks above 11 kHz.
    mask_extension: Option<String>,
    /// Sample rate of the stems: `model` (default) or `source`.
    rate: Option<String>,
    /// If the client disconnects before the response: `pause` (default), `continue` or `cancel` the session.
    on_disconnect: Option<String>,
    /// The song.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stemwire",
        description = "Music source separation over plain HTTP. Errors are `Problem`s. Every response has the \
        header `x-request-id`: that of the request if it has one, else a new UUID.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    // The router adds the other schemas.
    paths(super::zip::all),
)]
pub(super) struct Document;

/// Returns this document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "this document", body = Object)))]
pub(super) async fn document(Extract(rest): Extract<Rest>) -> Response<Body> {
    json(StatusCode::OK, &*rest.document)
}
