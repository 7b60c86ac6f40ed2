//! Resumable uploads: the tus protocol (<https://tus.io/protocols/resumable-upload>), version 1.0.0.
//!
//! An upload is a session, and has its id: sessions of other calls can be continued here, and sessions that were created
//! here by other calls. Nothing is locked: bytes that repeat stored ones are compared, so requests for one upload cannot
//! damage it.
//!
//! Own code: the libraries for servers (`tus-protocol`, `fileloft`; both 0.x) bring storage, locks and error responses of
//! their own, and what remains of the protocol are its [`headers`].

pub(super) mod creation;
mod headers;
mod incoming;
mod storing;

use axum::body::Body;
use axum::extract::{Path, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::middleware::Next;

#[cfg(feature = "fuzzing")]
pub(super) use headers::Metadata as UploadMetadata;
use headers::{EXTENSIONS, VERSION, add_state, check_version, is_upload, length_of};
use incoming::Incoming;
use storing::{announce, check_fits, check_open, finish_if_complete, of_ended, receive};

use super::{Rest, RouteResult};
use crate::server::status::{ApiError, Problem};
use crate::session::Session;

/// The path of the collection.
const UPLOADS: &str = "/api/uploads";

/// The header with the method that a request stands for.
const METHOD_OVERRIDE: &str = "X-HTTP-Method-Override";

/// Whether a path has a method `OPTIONS` of its own, besides preflight requests.
pub(in crate::server) fn has_options(path: &str) -> bool {
    path == UPLOADS
}

/// Adds the version of the protocol to every response on its routes, also to those of other layers: without it, clients take
/// a refusal for the answer of something else.
pub(in crate::server) async fn complete(request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path();
    let is_upload =
        path.strip_prefix(UPLOADS).is_some_and(|of| of.is_empty() || of.starts_with('/'));
    let mut response = next.run(request).await;
    if !is_upload {
        return response;
    }
    let version = HeaderValue::from_static(VERSION);
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert("Tus-Version", version.clone());
    }
    response.headers_mut().insert("Tus-Resumable", version);
    response
}

/// Describes the server's support of the tus protocol.
#[utoipa::path(
    options,
    path = "/api/uploads",
    tag = "uploads",
    responses(
        (status = 204, description = "`Tus-Version`, `Tus-Extension` and `Tus-Max-Size`"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn describe(Extract(rest): Extract<Rest>) -> Response<Body> {
    let mut response = no_content();
    let headers = response.headers_mut();
    headers.insert("Tus-Version", HeaderValue::from_static(VERSION));
    headers.insert("Tus-Extension", HeaderValue::from_static(EXTENSIONS));
    headers.insert("Tus-Max-Size", HeaderValue::from(rest.separations.limits().upload_bytes));
    response
}

/// Returns the number of stored bytes of an upload.
#[utoipa::path(
    head,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("Tus-Resumable" = String, Header, description = "version of the protocol", pattern = r"^1\.0\.0$"),
    ),
    responses(
        (status = 200, description = "`Upload-Offset`, `Upload-Length` or `Upload-Defer-Length`, `Upload-Metadata`, `Upload-Expires`"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn offset(
    Extract(rest): Extract<Rest>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> RouteResult {
    check_version(&headers)?;
    let session = rest.find(&id).await?;
    check_open(&session)?;
    // The server may have ended when all bytes were stored, before it recorded that.
    finish_if_complete(&rest, &session).await?;
    Ok(with_state(Response::new(Body::empty()), &rest, &session))
}

/// Adds bytes to an upload.
///
/// What was received stays stored if the request breaks off.
#[utoipa::path(
    patch,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("Tus-Resumable" = String, Header, description = "version of the protocol", pattern = r"^1\.0\.0$"),
        ("Upload-Offset" = u64, Header, description = "position of the first byte: the number of stored bytes"),
        ("Upload-Length" = Option<u64>, Header, description = "bytes of the song, if the length was deferred", nullable = false),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream", description = "bytes of the song"),
    responses(
        (status = 204, description = "`Upload-Offset` is the number of stored bytes"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn append(
    Extract(rest): Extract<Rest>,
    Path(id): Path<String>,
    request: Request,
) -> RouteResult {
    let (head, mut body) = Incoming::of(&rest, request);
    let appended = appended(&rest, &id, &head.headers, &mut body).await;
    if appended.as_ref().is_err_and(|refusal| !refusal.is_forwarded()) {
        body.discard().await;
    }
    appended
}

async fn appended(rest: &Rest, id: &str, headers: &HeaderMap, body: &mut Incoming) -> RouteResult {
    check_version(headers)?;
    if !is_upload(headers) {
        return Err(headers::type_error(headers).into());
    }
    let missing = || {
        let problem = "it must be sent".to_owned();
        ApiError::Invalid { field: "Upload-Offset", problem }
    };
    let offset = headers::number(headers, "Upload-Offset")?.ok_or_else(missing)?;
    let session = rest.find(id).await?;
    check_open(&session)?;
    let committed = session.durable_bytes();
    if offset != committed {
        return Err(ApiError::UploadOffsetMismatch { offset, committed }.into());
    }
    if let Some(length) = headers::number(headers, "Upload-Length")? {
        announce(rest, &session, length).await?;
    }
    check_fits(rest, length_of(&session.manifest()), offset.saturating_add(body.least_length()))?;
    receive(rest, &session, body, offset).await.map_err(|error| of_ended(&session, error))?;
    Ok(with_state(no_content(), rest, &session))
}

/// Cancels and deletes an upload with its session.
#[utoipa::path(
    delete,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("Tus-Resumable" = String, Header, description = "version of the protocol", pattern = r"^1\.0\.0$"),
    ),
    responses(
        (status = 204, description = "deleted"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn terminate(
    Extract(rest): Extract<Rest>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> RouteResult {
    check_version(&headers)?;
    let session = rest.find(&id).await?;
    rest.work(move |separations| Ok(separations.delete(&session)?)).await?;
    Ok(no_content())
}

/// Stands for the method in `X-HTTP-Method-Override`.
///
/// For clients that cannot send `PATCH` or `DELETE`.
#[utoipa::path(
    post,
    path = "/api/uploads/{id}",
    tag = "uploads",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("Tus-Resumable" = String, Header, description = "version of the protocol", pattern = r"^1\.0\.0$"),
        ("X-HTTP-Method-Override" = String, Header, description = "the method", pattern = "^(PATCH|DELETE|HEAD)$"),
    ),
    responses(
        (status = 200, description = "as of `HEAD`"),
        (status = 204, description = "as of `PATCH` and `DELETE`"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn overridden(
    rest: Extract<Rest>,
    id: Path<String>,
    request: Request,
) -> RouteResult {
    check_version(request.headers())?;
    let headers = request.headers().clone();
    match headers.get(METHOD_OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append(rest, id, request).await,
        Some(b"DELETE") => terminate(rest, id, headers).await,
        Some(b"HEAD") => offset(rest, id, headers).await,
        _ => Err(super::unsupported_error(&request).into()),
    }
}

fn with_state(mut response: Response<Body>, rest: &Rest, session: &Session) -> Response<Body> {
    add_state(response.headers_mut(), session, rest.separations.limits());
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
