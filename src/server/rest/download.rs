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
use super::download_options::{DownloadOptions, DownloadParameters, invalid};
use super::range::{Part, is_current, part};
use super::source::{FileSource, Source};
use super::stem_source::{EncodedSource, PcmSource};
use super::{Refusal, Rest, RouteResult};
use crate::audio::{Encoding, FileFormat, Frames, StemName, Stereo, title};
use crate::encode::dither::Dither;
use crate::encode::pcm_file::PcmFile;
use crate::encode::{self, FileSpec};
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
    spec: FileSpec,
    gain: f32,
    fit: bool,
    etag: String,
}

/// The content of a stem's file.
pub(super) enum Content {
    /// Made while it is read, also from the middle.
    Pcm(PcmSource),
    /// A file on disk.
    Flac(FlacStem),
    /// Encoded while it is read, of unknown size.
    Encoded(EncodedSource),
}

impl Content {
    /// Size in bytes, if it is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Content::Pcm(pcm) => Some(pcm.size()),
            Content::Flac(flac) => Some(flac.bytes),
            Content::Encoded(_) => None,
        }
    }

    /// The bytes from `first` to before `end`, or its end; all where the size is not known.
    pub(super) fn part(self, first: u64, end: u64) -> Box<dyn Source> {
        match self {
            Content::Pcm(pcm) => Box::new(pcm.part(first, end)),
            Content::Flac(flac) => Box::new(FileSource::new(flac.path, first, end.min(flac.bytes))),
            Content::Encoded(encoded) => Box::new(encoded),
        }
    }
}

/// Downloads a stem.
///
/// As a file of one of the formats. The session must have ended: if it failed or was cancelled, the file has the frames
/// that were finished. Files of lossy formats are encoded while they are sent: they have no ranges, and no size in front.
#[utoipa::path(
    get,
    path = "/download/{id}/{stem}",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id (UUID)"),
        ("stem" = String, Path, description = "stem name", example = "vocals"),
        DownloadParameters,
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
    let Some(size) = content.size() else {
        let (part, body) = match is_current(&headers, &download.etag) {
            true => (Part::NotModified, Body::empty()),
            false => (Part::Whole, rest.body(content.part(0, u64::MAX))),
        };
        return Ok(download.answer(part, None, body));
    };
    let part = match part(&headers, &download.etag, size) {
        Ok(part) => part,
        Err(error) => return Err(unsatisfiable(&error, size)),
    };
    let body = match part {
        Part::NotModified => Body::empty(),
        Part::Whole => rest.body(content.part(0, size)),
        Part::Range { first, last } => rest.body(content.part(first, last + 1)),
    };
    Ok(download.answer(part, Some(size), body))
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
        let DownloadOptions { format, fit, bitrate } = options;
        let manifest = session.manifest();
        let gain = manifest.settings.gain;
        let loudest = manifest.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
        let fitting = format.fitting_gain(loudest * gain);
        let fit = fit && fitting < 1.0;
        let gain = if fit { gain * fitting } else { gain };
        let reader = lookup::stem(session, name, Frames::ZERO, stored(gain))?;
        let stem = reader.stem().clone();
        let record = manifest.stems.iter().find(|record| record.name == stem);
        // Without a hash, the session ended early: what is committed does not change any more.
        let frames = manifest.commit.stems;
        let samples = match record.and_then(|record| record.sha256.as_deref()) {
            Some(hash) => hash.get(..32).unwrap_or(hash).to_owned(),
            None => format!("{}.{}", session.id(), frames.0),
        };
        // Equal samples in an equal format are equal bytes.
        let form = form(format, bitrate);
        let etag = format!("\"{samples}-{form}-{:08x}\"", gain.to_bits());
        let source = manifest.source.as_ref();
        let rate = source.map_or(manifest.plan.model_rate, |source| source.output_rate);
        let dither_seed = Dither::seed(stem.as_str());
        let channels = Stereo::CHANNELS;
        let spec = FileSpec { format, channels, rate, frames, bitrate, dither_seed };
        Ok(StemDownload { session: Arc::clone(session), stem, spec, gain, fit, etag })
    }

    /// At least the bytes of the file.
    pub(super) fn most_bytes(&self) -> u64 {
        // No encoder needs more than the samples as they are computed.
        self.spec.frames.0.saturating_mul((Stereo::CHANNELS * size_of::<f32>()) as u64)
    }

    /// The stem's content. Creates its FLAC file if there is none; one is created at a time.
    ///
    /// # Errors
    /// Those of opening the stem; `Invalid` if the format does not support the sample rate or the length.
    pub(super) async fn content(&self, rest: &Rest) -> Result<Content, ApiError> {
        let format = self.spec.format;
        encode::check(format, self.spec.rate).map_err(|error| invalid("format", &error))?;
        if !matches!(format, FileFormat::Flac | FileFormat::FlacS16) {
            let stem = self.stem.as_str();
            let reader = lookup::stem(&self.session, stem, Frames::ZERO, stored(self.gain))?;
            if !PcmFile::is_of(format) {
                return Ok(Content::Encoded(EncodedSource::new(reader, self.spec.clone())));
            }
            let source = PcmSource::new(reader, &self.spec);
            return Ok(Content::Pcm(source.map_err(|error| invalid("format", &error))?));
        }
        let permit = Arc::clone(&rest.flac).acquire_owned().await.map_err(|_| ApiError::Defect)?;
        let (session, stem) = (Arc::clone(&self.session), self.stem.clone());
        let (spec, gain, fit) = (self.spec.clone(), self.gain, self.fit);
        let make = rest.work(move |separations| {
            // Held by the task, which continues if the client disconnects.
            let _permit = permit;
            if let Some(made) = flac::made(&session, &stem, spec.format, fit) {
                return Ok(made);
            }
            separations.check_space()?;
            Ok(flac::make(&session, &stem, &spec, gain, fit)?)
        });
        Ok(Content::Flac(make.await?))
    }

    /// The response; a file of unknown size has no ranges.
    fn answer(&self, part: Part, size: Option<u64>, body: Body) -> Response<Body> {
        let manifest = self.session.manifest();
        let title = title(&manifest.settings.file_name);
        let format = self.spec.format;
        let name = format!("{title} - {}.{}", self.stem, format.extension());
        let mut response = Response::new(body);
        let mut set = |name: HeaderName, value: String| {
            // ASCII without control characters.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, self.etag.clone());
        set(ACCEPT_RANGES, if size.is_some() { "bytes" } else { "none" }.into());
        set(CACHE_CONTROL, "private, no-cache".into());
        set(X_CONTENT_TYPE_OPTIONS, "nosniff".into());
        set(CONTENT_DISPOSITION, attachment(&name));
        let status = match part {
            Part::NotModified => StatusCode::NOT_MODIFIED,
            Part::Whole => {
                if let Some(size) = size {
                    set(CONTENT_LENGTH, size.to_string());
                }
                set(CONTENT_TYPE, format.media_type().into());
                StatusCode::OK
            }
            Part::Range { first, last } => {
                let size = size.unwrap_or_default();
                set(CONTENT_LENGTH, (last - first + 1).to_string());
                set(CONTENT_TYPE, format.media_type().into());
                set(CONTENT_RANGE, format!("bytes {first}-{last}/{size}"));
                StatusCode::PARTIAL_CONTENT
            }
        };
        *response.status_mut() = status;
        response
    }
}

/// How stems are read: as they are stored, with a gain.
fn stored(gain: f32) -> StemFormat {
    StemFormat { encoding: Encoding::F32Le, gain }
}

/// What the bytes of a format depend on besides the samples: another release may encode otherwise.
fn form(format: FileFormat, bitrate: Option<u32>) -> String {
    let name = format.name();
    match bitrate {
        Some(kbits) => format!("{name}-{kbits}-{}", env!("CARGO_PKG_VERSION")),
        // Files of 16 bits had no dither in 0.1.0.
        None if format.encoding() == Encoding::S16Le => format!("{name}-dither"),
        None => name.to_owned(),
    }
}
