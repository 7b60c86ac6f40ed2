//! `GET /api/sessions/{id}/peaks/{stem}`: peaks of a stem, for waveforms.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::query::Query;
use super::{Rest, RouteResult, json};
use crate::server::status::{ApiError, Problem};
use crate::session::peaks::{self, FRAMES_PER_PEAK};

/// Consecutive peaks of a stem.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeaksView {
    /// Frames per peak.
    #[schema(example = 1024)]
    frames_per_peak: u64,
    /// Index of the first peak.
    first: u64,
    /// Whether no more peaks will follow: the session has ended, and these reach its last finished frame. If not,
    /// continue at `first` plus the number of peaks.
    complete: bool,
    /// Minimum and maximum sample of both channels, per peak.
    #[schema(value_type = Vec<Vec<f32>>)]
    peaks: Vec<[f32; 2]>,
}

/// Returns peaks of a stem.
///
/// At most 65,536 from the index `from`, as far as the stem is finished.
#[utoipa::path(
    get,
    path = "/api/sessions/{id}/peaks/{stem}",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("stem" = String, Path, description = "stem name", example = "vocals", pattern = "^[a-z][a-z0-9_-]{0,31}$"),
        ("from" = Option<u64>, Query, description = "index of the first peak; default 0", format = "uint64"),
    ),
    responses(
        (status = 200, description = "the available peaks", body = PeaksView),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn peaks(
    Extract(rest): Extract<Rest>,
    Path((id, stem)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> RouteResult {
    let session = rest.find(&id).await?;
    let query = Query::parse(query.as_deref(), "from")?;
    let first = query.value("from", "the index of a peak")?.unwrap_or_default();
    let permit = Arc::clone(&rest.peaks).acquire_owned().await.map_err(|_| ApiError::Defect)?;
    let found = rest.work(move |_| {
        // Held by the task, which continues if the client disconnects.
        let _permit = permit;
        Ok(peaks::peaks(&session, &stem, first)?)
    });
    let found = found.await?;
    let frames_per_peak = FRAMES_PER_PEAK.0;
    let (complete, peaks) = (found.complete, found.peaks);
    Ok(json(StatusCode::OK, &PeaksView { frames_per_peak, first, complete, peaks }))
}
