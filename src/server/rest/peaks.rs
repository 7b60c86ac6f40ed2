//! `GET /api/sessions/{id}/peaks/{stem}`: how loud a stem is, for waveforms.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::query::Query;
use super::{Answer, Rest, json};
use crate::server::status::{ApiError, Problem};
use crate::session::peaks::{self, FRAMES_PER_PEAK};

/// A part of a stem's peaks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeaksView {
    /// Frames under one peak.
    #[schema(example = 1024)]
    frames_per_peak: u64,
    /// The number of the first peak here.
    first: u64,
    /// Whether these reach the end of the finished stem; otherwise ask again from `first` plus as many
    /// as these are.
    complete: bool,
    /// The least and the largest sample of both channels for each.
    #[schema(value_type = Vec<Vec<f32>>)]
    peaks: Vec<[f32; 2]>,
}

/// The peaks from `from` on that are there, at most 65,536.
#[utoipa::path(
    get,
    path = "/api/sessions/{id}/peaks/{stem}",
    tag = "stems",
    params(
        ("id" = String, Path, description = "the session's name, a UUID"),
        ("stem" = String, Path, description = "the stem's name", example = "vocals"),
        ("from" = Option<u64>, Query, description = "the number of the first peak; 0 if left out"),
    ),
    responses(
        (status = 200, description = "the peaks that are there", body = PeaksView),
        (status = "default", description = "refused", body = Problem),
    ),
)]
pub(super) async fn peaks(
    Extract(rest): Extract<Rest>,
    Path((id, stem)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let session = rest.find(&id).await?;
    let query = Query::parse(query.as_deref(), "from")?;
    let first = query.value("from", "the number of a peak")?.unwrap_or_default();
    let permit = Arc::clone(&rest.peaks).acquire_owned().await.map_err(|_| ApiError::Defect)?;
    let found = rest.work(move |_| {
        // Held where the work is: it goes on also when its caller has left.
        let _permit = permit;
        Ok(peaks::peaks(&session, &stem, first)?)
    });
    let found = found.await?;
    let frames_per_peak = FRAMES_PER_PEAK.0;
    let (complete, peaks) = (found.complete, found.peaks);
    Ok(json(StatusCode::OK, &PeaksView { frames_per_peak, first, complete, peaks }))
}
