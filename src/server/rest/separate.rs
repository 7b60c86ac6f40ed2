//! `POST /api/separate`: receives a song, returns the URLs of its stems.

use std::future::poll_fn;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Response, StatusCode};
use tracing::Instrument;

use super::options::{ResponseParameters, SeparateForm, SettingsParameters};
use super::session_view::{self, Links};
use super::{Refusal, Rest, RouteResult, json, upload};
use crate::separation::Separations;
use crate::server::blocking;
use crate::server::outcome::{end_error, interruption};
use crate::server::status::{ApiError, Problem};
use crate::session::{Session, SessionState};

/// Separates a song.
///
/// Responds when the stems are done; with `async=true`, when the upload is complete.
#[utoipa::path(
    post,
    path = "/api/separate",
    tag = "sessions",
    params(ResponseParameters, SettingsParameters),
    request_body(content = SeparateForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "the stems are done", body = Links),
        (status = 202, description = "the upload is complete; poll `status_url`", body = Links),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn separate(Extract(rest): Extract<Rest>, request: Request) -> RouteResult {
    let (session, options) = upload::receive(&rest, request).await?;
    if options.is_async {
        return Ok(accepted(&session));
    }
    let waiting = Waiting { separations: Arc::clone(&rest.separations), session };
    wait(&waiting.session).await.map_err(|error| Refusal::of(&error, &waiting.session))?;
    Ok(json(StatusCode::OK, &Links::of(&waiting.session)))
}

fn accepted(session: &Session) -> Response<Body> {
    let links =
        Links { status_url: Some(session_view::status_url(session.id())), ..Links::of(session) };
    let mut response = json(StatusCode::ACCEPTED, &links);
    if let Ok(location) = HeaderValue::from_str(&session_view::status_url(session.id())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Waits until the session is DONE.
async fn wait(session: &Session) -> Result<(), ApiError> {
    loop {
        let seen = session.notifier().version();
        let manifest = session.durable_manifest();
        match manifest.state() {
            SessionState::Done => return Ok(()),
            SessionState::Failed | SessionState::Cancelled => {
                return end_error(session).map_or(Ok(()), Err);
            }
            SessionState::Paused if manifest.delay().is_none() => {
                return Err(ApiError::SessionPaused);
            }
            SessionState::Uploading | SessionState::Running | SessionState::Paused => {}
        }
        if let Some(error) = interruption(session) {
            return Err(error);
        }
        poll_fn(|context| session.notifier().poll_newer(context, seen)).await;
    }
}

/// A client that waits for the response; dropped when the response is sent or the client disconnects.
struct Waiting {
    separations: Arc<Separations>,
    session: Arc<Session>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.session.durable_state().is_ended() {
            return;
        }
        let (separations, session) = (Arc::clone(&self.separations), Arc::clone(&self.session));
        let work = blocking::run(move || separations.waiter_left(&session));
        tokio::spawn(work.in_current_span());
    }
}
