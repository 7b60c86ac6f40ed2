//! `/api/sessions`: lists, shows, cancels and deletes sessions.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::{Response, StatusCode};

use super::query::Query;
use super::view::{SessionList, SessionView};
use super::{Rest, RouteResult, json};
use crate::server::convert::paging::{MAX_PAGE_SIZE, PAGE_SIZE, page_size};
use crate::server::status::{ApiError, Problem};
use crate::session::store::PageCursor;

/// Lists sessions, newest first.
#[utoipa::path(
    get,
    path = "/api/sessions",
    tag = "sessions",
    params(
        ("page_size" = Option<u32>, Query, description = "sessions per page; default 50, also for 0", maximum = 500),
        ("page_token" = Option<String>, Query, description = "`next_page_token` of the previous page"),
    ),
    responses(
        (status = 200, description = "a page of sessions", body = SessionList),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn list(Extract(rest): Extract<Rest>, RawQuery(query): RawQuery) -> RouteResult {
    let query = Query::parse(query.as_deref(), "page_size, page_token")?;
    let size = query.value("page_size", "a number of sessions")?.unwrap_or(PAGE_SIZE);
    if size > MAX_PAGE_SIZE {
        let problem = format!("{size} sessions exceed the limit of {MAX_PAGE_SIZE}");
        return Err(ApiError::Invalid { field: "page_size", problem }.into());
    }
    let cursor = match query.text("page_token") {
        None | Some("") => None,
        Some(token) => Some(PageCursor::from_token(token).ok_or(ApiError::PageTokenInvalid)?),
    };
    let size = page_size(size);
    let (page, next) =
        rest.work(move |separations| Ok(separations.store().page(cursor, size))).await?;
    let sessions = page.iter().map(|session| SessionView::of(session)).collect();
    let list = SessionList { sessions, next_page_token: next.map(PageCursor::to_token) };
    Ok(json(StatusCode::OK, &list))
}

/// Returns a session.
#[utoipa::path(
    get,
    path = "/api/sessions/{id}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
    ),
    responses(
        (status = 200, description = "the session", body = SessionView),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn show(Extract(rest): Extract<Rest>, Path(id): Path<String>) -> RouteResult {
    Ok(json(StatusCode::OK, &SessionView::of(&*rest.find(&id).await?)))
}

/// Cancels a session.
///
/// Its finished frames can be downloaded, and stay readable over gRPC.
#[utoipa::path(
    post,
    path = "/api/sessions/{id}/cancel",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
    ),
    responses(
        (status = 200, description = "the session, now ended", body = SessionView),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn cancel(Extract(rest): Extract<Rest>, Path(id): Path<String>) -> RouteResult {
    let session = rest.find(&id).await?;
    let cancelled = Arc::clone(&session);
    rest.work(move |separations| {
        separations.cancel(&cancelled);
        Ok(separations.wait_stopped(&cancelled)?)
    })
    .await?;
    Ok(json(StatusCode::OK, &SessionView::of(&session)))
}

/// Cancels and deletes a session.
#[utoipa::path(
    delete,
    path = "/api/sessions/{id}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
    ),
    responses(
        (status = 204, description = "deleted"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn delete(Extract(rest): Extract<Rest>, Path(id): Path<String>) -> RouteResult {
    let session = rest.find(&id).await?;
    rest.work(move |separations| Ok(separations.delete(&session)?)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
