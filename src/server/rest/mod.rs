//! Plain HTTP on the same port: sessions for clients without gRPC.
//!
//! - [`separate`]: receives a form with a song ([`upload`], [`options`], [`option_names`], [`file_name`], [`metered_body`]) and returns URLs.
//! - [`tus`]: receives songs by the tus protocol, in any number of requests.
//! - [`download`]: stems as files ([`download_options`], [`stem_source`] over [`byte_source`]), [`mix`]: their sum,
//!   [`zip`] and [`ni_stems`]: all in one file; [`file_response`]: whole or as byte ranges ([`range`]), with safe names ([`disposition`]).
//! - [`forwarding`]: requests whose session another gateway has.
//! - [`sessions`] (as JSON: [`session_view`]), [`peaks`], [`health`]: status. [`openapi`]: the description of all routes.
//!
//! [`status`](super::status) maps errors to responses.

mod byte_source;
mod disposition;
mod download;
mod download_options;
mod ffmpeg_permit;
mod file_name;
mod file_response;
mod forwarding;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod health;
mod metered_body;
mod mix;
mod ni_stems;
mod openapi;
mod option_names;
mod options;
mod outlet;
mod peaks;
mod query;
mod range;
mod separate;
mod session_view;
mod sessions;
mod song_tags;
mod source_view;
mod stem_source;
mod tus;
mod unfinished;
mod upload;
mod zip;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Extract};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_stream::Stream;
use tonic::Status;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use byte_source::Source;
use forwarding::Forwarding;
pub(super) use tus::{complete as complete_tus, has_options};

use super::forward::Forwarder;
use super::forward_headers::OWNER;
use super::least_rate::LeastRate;
use super::status::{ApiError, respond, respond_of};
use super::{Memory, blocking, lookup};
use crate::separation::Separations;
use crate::server::middleware::grpc_status::is_grpc;
use crate::server::middleware::metrics::{MEDIA_TYPE, Metrics};
use crate::session::Session;

/// Stems encoded or scanned at the same time, over all requests: engines have priority.
const COMPUTING_AT_ONCE: usize = 1;

/// Pieces of files encoded at the same time: half of the processors. A piece takes some milliseconds, so that all downloads
/// advance.
fn encoding_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().div_ceil(2))
}

/// How long the rest of a refused upload is read, so that the client receives the response and not a reset.
const LINGERING: Duration = Duration::from_secs(2);

/// State shared by all routes.
#[derive(Clone)]
pub(super) struct Rest {
    separations: Arc<Separations>,
    metrics: Arc<Metrics>,
    memory: Memory,
    /// `None` for a server that is alone.
    forwarder: Option<Arc<Forwarder>>,
    /// Permits for creating FLAC files and for computing peaks.
    flac: Arc<Semaphore>,
    peaks: Arc<Semaphore>,
    /// Permits for encoding a piece of a file while it is sent.
    encoding: Arc<Semaphore>,
    /// Permits for downloads that FFmpeg encodes ([`ffmpeg_permit`]).
    ffmpeg: Arc<Semaphore>,
    /// The OpenAPI document.
    document: Arc<utoipa::openapi::OpenApi>,
}

/// The result of a route.
type RouteResult = Result<Response<Body>, Refusal>;

/// A refused request.
struct Refusal(Box<Response<Body>>);

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal(Box::new(respond(&error.into())))
    }
}

impl Refusal {
    /// An error of a session that still exists: names it in the metadata.
    fn of(error: &ApiError, session: &Session) -> Refusal {
        let more = BTreeMap::from([("session_id".to_owned(), session.id().to_string())]);
        Refusal(Box::new(respond_of(error, more)))
    }

    /// Whether the request is to be made at another gateway, with its body.
    fn is_forwarded(&self) -> bool {
        self.0.headers().contains_key(OWNER)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        *self.0
    }
}

/// The routes. A handler declares its path and method once; router, OpenAPI document and metrics use that
/// declaration.
pub(super) fn router(
    separations: Arc<Separations>,
    metrics: Arc<Metrics>,
    memory: Memory,
    max_encoders: usize,
    forwarder: Option<Arc<Forwarder>>,
) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(health::health))
        .routes(routes!(numbers))
        .routes(routes!(openapi::document))
        .routes(routes!(separate::separate))
        .routes(routes!(tus::creation::create, tus::describe))
        .routes(routes!(tus::offset, tus::append, tus::terminate, tus::overridden))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show, sessions::delete))
        .routes(routes!(sessions::cancel))
        .routes(routes!(peaks::peaks))
        // Documented as `/download/{id}.zip` and `.stem.mp4`; axum matches whole path segments only.
        .route("/download/{id}", get(zip::all))
        .routes(routes!(mix::mix))
        .routes(routes!(download::stem))
        .split_for_parts();
    let permits = |count| Arc::new(Semaphore::new(count));
    let rest = Rest {
        separations,
        metrics,
        memory,
        forwarder: forwarder.clone(),
        flac: permits(COMPUTING_AT_ONCE),
        peaks: permits(COMPUTING_AT_ONCE),
        encoding: permits(encoding_at_once()),
        ffmpeg: permits(max_encoders),
        document: Arc::new(document),
    };
    let router = router.method_not_allowed_fallback(unsupported);
    let router = match forwarder {
        Some(forwarder) => {
            let forwarding = Forwarding { forwarder, rest: rest.clone() };
            router.route_layer(from_fn_with_state(forwarding, forwarding::forward))
        }
        None => router,
    };
    router.with_state(rest)
}

/// Returns Prometheus metrics.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    responses((status = 200, description = "all metrics", content_type = MEDIA_TYPE, body = String)),
)]
async fn numbers(Extract(rest): Extract<Rest>) -> RouteResult {
    let numbers = Arc::clone(&rest.metrics);
    let text = rest.work(move |separations| Ok(numbers.text(separations))).await?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Ok(response)
}

/// The error of an unknown route.
pub(super) async fn unknown(request: Request) -> Response<Body> {
    if is_grpc(request.headers()) {
        return Status::unimplemented("").into_http();
    }
    respond(&ApiError::RouteUnknown { path: shown_path(&request) })
}

async fn unsupported(request: Request) -> Response<Body> {
    respond(&unsupported_error(&request))
}

fn unsupported_error(request: &Request) -> ApiError {
    let method = request.method().as_str().chars().take(16).collect();
    ApiError::MethodUnsupported { method, path: shown_path(request) }
}

fn shown_path(request: &Request) -> String {
    request.uri().path().chars().take(200).collect()
}

impl Rest {
    /// Runs short work that may block on the disk.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Separations) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let separations = Arc::clone(&self.separations);
        blocking::run(move || work(&separations)).await.map_err(|_| ApiError::Defect)?
    }

    /// A request body within the limits for uploads, and its meter.
    fn metered(
        &self,
        body: Body,
    ) -> (impl Stream<Item = io::Result<Bytes>> + Send + use<>, metered_body::Meter) {
        let limits = self.separations.limits();
        let least_rate =
            LeastRate { bytes_per_s: limits.upload_bytes_per_s, window: limits.idle_upload };
        metered_body::metered(body, Arc::clone(&self.memory.received), least_rate)
    }

    /// A response body that reads `source` as the client takes it.
    fn body(&self, source: impl Source) -> Body {
        byte_source::body(source, Arc::clone(&self.memory.read_ahead), Arc::clone(&self.encoding))
    }

    async fn find(&self, id: &str) -> Result<Arc<Session>, ApiError> {
        lookup::session(&self.separations, id).await
    }
}

/// A JSON response.
fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // Texts and numbers always serialize.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
