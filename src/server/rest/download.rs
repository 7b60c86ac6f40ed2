//! `GET /download/{session_id}/{stem}`: a stem as a file, whole or a byte range.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::disposition::attachment;
use super::query::Query;
use super::range::{Part, part};
use super::source::{FileSource, Source, WavSource};
use super::{Refusal, Rest, RouteResult};
use crate::audio::{FileFormat, Frames, Hertz, StemName, title};
use crate::encode;
use crate::server::lookup;
use crate::server::outcome::end_error;
use crate::server::status::{ApiError, Problem, respond};
use crate::session::flac::{self, FlacStem};
use crate::session::stem_reader::StemFormat;
use crate::session::{Progress, Session, SessionState};

/// A stem in the requested format.
pub(super) struct StemDownload {
    session: Arc<Session>,
    stem: StemName,
    format: FileFormat,
    form: StemFormat,
    fit: bool,
    frames: Frames,
    rate: Hertz,
    etag: String,
}

/// The content of a stem's file.
pub(super) enum Content {
    /// Generated while it is read.
    Wav(WavSource),
    /// A file on disk.
    Flac(FlacStem),
}

impl Content {
    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Content::Wav(wav) => wav.size(),
            Content::Flac(flac) => flac.bytes,
        }
    }

    /// The bytes from `first` to before `end`.
    pub(super) fn part(self, first: u64, end: u64) -> Box<dyn Source> {
        match self {
            Content::Wav(wav) => Box::new(wav.part(first, end)),
            Content::Flac(flac) => Box::new(FileSource::new(flac.path, first, end)),
        }
    }
}

/// Query options of downloads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DownloadOptions {
    pub(super) format: FileFormat,
    /// Whether one gain for all stems prevents integer formats from clipping.
    pub(super) fit: bool,
}

impl DownloadOptions {
    /// Parses the query string.
    ///
    /// # Errors
    /// `FieldUnknown`, `Invalid`.
    pub(super) fn parse(query: Option<&str>) -> Result<DownloadOptions, ApiError> {
        let query = Query::parse(query, "format, fit")?;
        let format =
            query.value("format", "one of wav-f32, wav-s24, wav-s16, flac")?.unwrap_or_default();
        let fit = query.value("fit", "true or false")?.unwrap_or_default();
        Ok(DownloadOptions { format, fit })
    }
}

/// Downloads a stem.
///
/// As a WAV or FLAC file. The session must have ended: if it failed or was cancelled, the file has the frames that were
/// finished.
#[utoipa::path(
    get,
    path = "/download/{id}/{stem}",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id (UUID)"),
        ("stem" = String, Path, description = "stem name", example = "vocals"),
        ("format" = Option<String>, Query, description = "`wav-f32`, `wav-s24`, `wav-s16` (default) or `flac`"),
        ("fit" = Option<bool>, Query, description = "lower all stems by one gain where integer formats would clip; default `false`"),
    ),
    responses(
        (status = 200, description = "the stem", content_type = "audio/wav", body = [u8]),
        (status = 206, description = "the range of `Range`", content_type = "audio/wav", body = [u8]),
        (status = 304, description = "unchanged since `If-None-Match`"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn stem(
    Extract(rest): Extract<Rest>,
    Path((id, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> RouteResult {
    let options = DownloadOptions::parse(query.as_deref())?;
    let session = rest.find(&id).await?;
    check_ended(&session)?;
    let download = StemDownload::of(&session, &name, options)?;
    let content = download.content(&rest).await?;
    let size = content.size();
    let part = match part(&headers, &download.etag, size) {
        Ok(part) => part,
        Err(error) => return Err(unsatisfiable(&error, size)),
    };
    let body = match part {
        Part::NotModified => Body::empty(),
        Part::Whole => rest.body(content.part(0, size)),
        Part::Range { first, last } => rest.body(content.part(first, last + 1)),
    };
    Ok(download.answer(part, size, body))
}

/// Refuses sessions that have not ended, or have ended without a finished frame.
///
/// # Errors
/// `SessionNotDone` with the progress; the session's error if it failed or was cancelled.
pub(super) fn check_ended(session: &Session) -> Result<(), ApiError> {
    let Progress { state, finished, total, .. } = session.progress();
    match state {
        SessionState::Done => Ok(()),
        SessionState::Failed | SessionState::Cancelled if finished > Frames::ZERO => Ok(()),
        SessionState::Failed | SessionState::Cancelled => end_error(session).map_or(Ok(()), Err),
        SessionState::Uploading | SessionState::Running | SessionState::Paused => {
            Err(ApiError::SessionNotDone { state, finished, total })
        }
    }
}

fn unsatisfiable(error: &ApiError, size: u64) -> Refusal {
    let mut response = respond(error);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    Refusal(Box::new(response))
}

impl StemDownload {
    /// A stem of a session that has ended.
    ///
    /// # Errors
    /// `StemNameInvalid`, `StemUnknown`.
    pub(super) fn of(
        session: &Arc<Session>,
        name: &str,
        options: DownloadOptions,
    ) -> Result<StemDownload, ApiError> {
        let DownloadOptions { format, fit } = options;
        let manifest = session.manifest();
        let gain = manifest.settings.gain;
        let loudest = manifest.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
        let fitting = format.encoding().fitting_gain(loudest * gain);
        let fit = fit && fitting < 1.0;
        let gain = if fit { gain * fitting } else { gain };
        let form = StemFormat { encoding: format.encoding(), gain };
        let reader = lookup::stem(session, name, Frames::ZERO, form)?;
        let stem = reader.stem().clone();
        let record = manifest.stems.iter().find(|record| record.name == stem);
        // Without a hash, the session ended early: what is committed does not change any more.
        let frames = manifest.commit.stems;
        let samples = match record.and_then(|record| record.sha256.as_deref()) {
            Some(hash) => hash.get(..32).unwrap_or(hash).to_owned(),
            None => format!("{}.{}", session.id(), frames.0),
        };
        // Equal samples in an equal format are equal bytes.
        let etag = format!("\"{samples}-{}-{:08x}\"", format.name(), gain.to_bits());
        let source = manifest.source.as_ref();
        let rate = source.map_or(manifest.plan.model_rate, |source| source.output_rate);
        Ok(StemDownload {
            session: Arc::clone(session),
            stem,
            format,
            form,
            fit,
            frames,
            rate,
            etag,
        })
    }

    /// The stem's content. Creates its FLAC file if there is none; one is created at a time.
    ///
    /// # Errors
    /// Those of opening the stem; `Invalid` if FLAC does not support the sample rate.
    pub(super) async fn content(&self, rest: &Rest) -> Result<Content, ApiError> {
        if self.format != FileFormat::Flac {
            let StemDownload { session, stem, frames, rate, form, .. } = self;
            return Ok(Content::Wav(WavSource::open(session, stem, *frames, *rate, *form)?));
        }
        encode::check(self.format, self.rate).map_err(|error| {
            let problem = error.to_string();
            ApiError::Invalid { field: "format", problem }
        })?;
        let permit = Arc::clone(&rest.flac).acquire_owned().await.map_err(|_| ApiError::Defect)?;
        let (session, stem) = (Arc::clone(&self.session), self.stem.clone());
        let (rate, gain, fit) = (self.rate, self.form.gain, self.fit);
        let make = rest.work(move |separations| {
            // Held by the task, which continues if the client disconnects.
            let _permit = permit;
            if let Some(made) = flac::made(&session, &stem, fit) {
                return Ok(made);
            }
            separations.check_space()?;
            Ok(flac::make(&session, &stem, rate, gain, fit)?)
        });
        Ok(Content::Flac(make.await?))
    }

    fn answer(&self, part: Part, size: u64, body: Body) -> Response<Body> {
        let manifest = self.session.manifest();
        let title = title(&manifest.settings.file_name);
        let name = format!("{title} - {}.{}", self.stem, self.format.extension());
        let mut response = Response::new(body);
        let mut set = |name: HeaderName, value: String| {
            // ASCII without control characters.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, self.etag.clone());
        set(ACCEPT_RANGES, "bytes".into());
        set(CACHE_CONTROL, "private, no-cache".into());
        set(X_CONTENT_TYPE_OPTIONS, "nosniff".into());
        set(CONTENT_DISPOSITION, attachment(&name));
        let status = match part {
            Part::NotModified => StatusCode::NOT_MODIFIED,
            Part::Whole => {
                set(CONTENT_LENGTH, size.to_string());
                set(CONTENT_TYPE, self.format.media_type().into());
                StatusCode::OK
            }
            Part::Range { first, last } => {
                set(CONTENT_LENGTH, (last - first + 1).to_string());
                set(CONTENT_TYPE, self.format.media_type().into());
                set(CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
                StatusCode::PARTIAL_CONTENT
            }
        };
        *response.status_mut() = status;
        response
    }
}
