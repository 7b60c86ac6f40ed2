//! `/api/sessions`: lists, shows, cancels and deletes sessions.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::query::Query;
use super::session_view::{SessionList, SessionView};
use super::{Rest, RouteResult, json};
use crate::server::convert::paging::{MAX_PAGE_SIZE, PAGE_SIZE, page_size};
use crate::server::listing::{ListedSession, OtherPages, SessionPage, merge, own_page};
use crate::server::status::{ApiError, Problem};
use crate::session::Session;
use crate::session::manifest::Timestamp;
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
pub(super) async fn list(Extract(rest): Extract<Rest>, request: Request) -> RouteResult {
    let query = Query::parse(request.uri().query(), "page_size, page_token")?;
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
    let OtherPages { pages: others, are_all_there } = others(&rest, request).await;
    let own = rest.work(move |all| Ok(own_page(all.store(), are_all_there, cursor, size)));
    let (page, next) = own.await?;
    if others.is_empty() {
        let sessions = page.iter().map(|session| SessionView::of(session)).collect();
        let list = SessionList { sessions, next_page_token: next.map(PageCursor::to_token) };
        return Ok(json(StatusCode::OK, &list));
    }
    let own =
        SessionPage { sessions: page.iter().map(own_view).collect(), has_more: next.is_some() };
    let pages = std::iter::once(own).chain(others.into_iter().map(OtherList::page)).collect();
    let (sessions, next) = merge(pages, size);
    let list = MergedList { sessions, next_page_token: next.map(PageCursor::to_token) };
    Ok(json(StatusCode::OK, &list))
}

/// A page of the sessions of all gateways: a [`SessionList`].
#[derive(Serialize)]
struct MergedList {
    sessions: Vec<MergedView>,
    next_page_token: Option<String>,
}

/// A [`SessionView`] of this gateway or another one.
#[derive(Serialize)]
#[serde(untagged)]
enum MergedView {
    Own(Box<SessionView>),
    Other(Map<String, Value>),
}

/// A page of another gateway.
#[derive(Deserialize)]
struct OtherList {
    sessions: Vec<Map<String, Value>>,
    next_page_token: Option<String>,
}

/// The pages of the other gateways.
async fn others(rest: &Rest, request: Request) -> OtherPages<OtherList> {
    let Some(forwarder) = &rest.forwarder else { return OtherPages::default() };
    let gateways = rest.separations.store().other_servers();
    let asked = request.map(|_| Bytes::new());
    let answers = forwarder.ask(&gateways, &asked).await;
    let lists = answers.iter().filter_map(|answer| serde_json::from_slice(answer).ok());
    OtherPages::of(lists.collect(), gateways.len())
}

fn own_view(session: &Arc<Session>) -> ListedSession<MergedView> {
    let manifest = session.durable_manifest();
    let view = MergedView::Own(Box::new(SessionView::of(session)));
    let (created, updated) = (manifest.created, manifest.updated);
    ListedSession { id: session.id(), created, updated, view }
}

impl OtherList {
    fn page(self) -> SessionPage<MergedView> {
        let listed = |view: Map<String, Value>| {
            let time = |name| view.get(name)?.as_u64().map(Timestamp);
            let (created, updated) = (time("created_ms")?, time("updated_ms")?);
            let id = view.get("session_id")?.as_str()?.parse().ok()?;
            Some(ListedSession { id, created, updated, view: MergedView::Other(view) })
        };
        let has_more = self.next_page_token.is_some();
        SessionPage { sessions: self.sessions.into_iter().filter_map(listed).collect(), has_more }
    }
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
