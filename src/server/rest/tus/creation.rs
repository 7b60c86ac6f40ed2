//! New uploads.

use std::sync::Arc;

use axum::extract::{Request, State as Extract};
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};

use super::headers::{self, Metadata, check_version, is_upload};
use super::incoming::Incoming;
use super::storing::{check_fits, check_length, receive};
use super::{UPLOADS, with_state};
use crate::server::connections::client_of;
use crate::server::path_prefix::prefixed;
use crate::server::rest::options::{SETTINGS, SeparateOptions, SettingsParameters};
use crate::server::rest::session_view::{self, Links};
use crate::server::rest::unfinished::Unfinished;
use crate::server::rest::{Refusal, Rest, RouteResult, json};
use crate::server::status::{ApiError, Problem};

/// Creates an upload by the tus protocol.
///
/// The song is sent in this request, in later ones, or both. Its stems can be read meanwhile; the session continues when
/// the upload is complete, without further requests. Options may also be keys of `Upload-Metadata`.
#[utoipa::path(
    post,
    path = "/api/uploads",
    tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "version of the protocol", pattern = r"^1\.0\.0$"),
        ("Upload-Length" = Option<u64>, Header, description = "bytes of the song", nullable = false),
        ("Upload-Defer-Length" = Option<u32>, Header, description = "`1` if the length is not known yet", minimum = 1, maximum = 1, nullable = false),
        ("Upload-Metadata" = Option<String>, Header, description = "keys and Base64 values, separated by commas: `filename`, options, any others", nullable = false),
        SettingsParameters,
    ),
    request_body(content = Option<String>, content_type = "application/offset+octet-stream", description = "the first bytes of the song"),
    responses(
        (status = 201, description = "the upload is at `Location`, its session is in the body", body = Links),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(in crate::server::rest) async fn create(
    Extract(rest): Extract<Rest>,
    request: Request,
) -> RouteResult {
    let (head, mut body) = Incoming::of(&rest, request);
    let created = created(&rest, &head, &mut body).await;
    if created.is_err() {
        body.discard().await;
    }
    created
}

async fn created(rest: &Rest, head: &Parts, body: &mut Incoming) -> RouteResult {
    check_version(&head.headers)?;
    let mut options = SeparateOptions::of_query(head.uri.query(), SETTINGS)?;
    let metadata = Metadata::of(&head.headers)?;
    metadata.set_options(&mut options)?;
    let settings = options.settings(metadata.file_name())?;
    let length = headers::new_length(&head.headers)?;
    length.map_or(Ok(()), |length| check_length(rest, length))?;
    let has_bytes = is_upload(&head.headers);
    if has_bytes {
        check_fits(rest, length, body.least_length())?;
    } else if body.next(0).await?.is_some() {
        return Err(headers::type_error(&head.headers).into());
    }
    let client = client_of(&head.extensions);
    let (separations, announced) = (Arc::clone(&rest.separations), metadata.announced(length));
    let opened = rest.work(move |all| {
        let unfinished = Unfinished::open(separations, client, settings)?;
        // If this fails, the new session is dropped and so removed.
        unfinished.session().map_or(Ok(()), |session| all.announce(session, announced))?;
        Ok(unfinished)
    });
    let mut unfinished = opened.await?;
    let session = unfinished.session().map(Arc::clone).ok_or(ApiError::Defect)?;
    if has_bytes && let Err(error) = receive(rest, &session, body, 0).await {
        return Err(match unfinished.remove().await {
            Some(session) => Refusal::of(&error, &session),
            None => error.into(),
        });
    }
    unfinished.keep();
    let links =
        Links { status_url: Some(session_view::status_url(session.id())), ..Links::of(&session) };
    let mut response = json(StatusCode::CREATED, &links);
    // An id is ASCII.
    if let Ok(location) = HeaderValue::try_from(prefixed(&format!("{UPLOADS}/{}", session.id()))) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(with_state(response, rest, &session))
}
