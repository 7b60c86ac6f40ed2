//! `GET /download/{session_id}/{stem}`: a stem as a file, whole or in part.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::disposition::{attachment, title};
use super::format::{FORMATS, Format};
use super::query::Query;
use super::range::{Part, part};
use super::source::{WavSource, body};
use super::{Answer, Refusal, Rest};
use crate::audio::{Frames, Hertz, StemName};
use crate::server::status::{ApiError, respond};
use crate::session::failure::SessionError;
use crate::session::tail::Form;
use crate::session::{Session, State};

/// A stem that is done, in the form that was asked for.
pub(super) struct Wanted {
    pub(super) session: Arc<Session>,
    pub(super) stem: StemName,
    pub(super) format: Format,
    pub(super) form: Form,
    pub(super) frames: Frames,
    pub(super) rate: Hertz,
    etag: String,
}

/// How a request wants its stems.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) format: Format,
    /// Whether one gain for all stems shall keep integers from clipping.
    pub(super) fit: bool,
}

impl Wish {
    /// Reads the part of an address after `?`.
    ///
    /// # Errors
    /// `FieldUnknown`, `Invalid`.
    pub(super) fn parse(query: Option<&str>) -> Result<Wish, ApiError> {
        let query = Query::parse(query, "format, fit")?;
        let format = query.value("format", FORMATS)?.unwrap_or_default();
        let fit = query.value("fit", "true or false")?.unwrap_or_default();
        Ok(Wish { format, fit })
    }
}

/// A stem.
pub(super) async fn stem(
    Extract(rest): Extract<Rest>,
    Path((id, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let wish = Wish::parse(query.as_deref())?;
    let session = rest.find(&id)?;
    check_done(&session)?;
    let wanted = Wanted::of(&session, &name, wish)?;
    let source = wanted.wav()?;
    let size = source.size();
    let part = match part(&headers, &wanted.etag, size) {
        Ok(part) => part,
        Err(error) => return Err(unsatisfiable(&error, size)),
    };
    let (first, end) = match part {
        Part::Whole | Part::NotModified => (0, size),
        Part::Range { first, last } => (first, last + 1),
    };
    let body = match part {
        Part::NotModified => Body::empty(),
        Part::Whole | Part::Range { .. } => body(source.part(first, end)),
    };
    Ok(wanted.answer(part, size, body))
}

/// Refuses what is not done.
///
/// # Errors
/// `SessionNotDone` with the progress; `Ended` where it never will be.
pub(super) fn check_done(session: &Session) -> Result<(), ApiError> {
    let progress = session.progress();
    match progress.state {
        State::Done => Ok(()),
        State::Failed | State::Cancelled => Err(SessionError::Ended(progress.state).into()),
        State::Uploading | State::Running | State::Paused => Err(ApiError::SessionNotDone {
            state: progress.state,
            finished: progress.finished,
            total: progress.total,
        }),
    }
}

fn unsatisfiable(error: &ApiError, size: u64) -> Refusal {
    let mut response = respond(error);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    Refusal(Box::new(response))
}

impl Wanted {
    /// A stem of a session that is done.
    ///
    /// # Errors
    /// `StemNameInvalid`, `StemUnknown`.
    pub(super) fn of(session: &Arc<Session>, name: &str, wish: Wish) -> Result<Wanted, ApiError> {
        let Wish { format, fit } = wish;
        let manifest = session.manifest();
        let gain = manifest.settings.gain;
        let loudest = manifest.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
        let fitting = fitting_gain(loudest * gain);
        let fit = fit && format != Format::WavF32 && fitting < 1.0;
        let gain = if fit { gain * fitting } else { gain };
        let form = Form { encoding: format.encoding(), gain };
        let reader = crate::server::reading::open(session, name, Frames::ZERO, form)?;
        let stem = reader.stem().clone();
        let record = manifest.stems.iter().find(|record| record.name == stem);
        let hash = record.and_then(|record| record.sha256.as_deref()).unwrap_or_default();
        let hash = hash.get(..32).unwrap_or(hash);
        // The same samples in the same form are the same bytes.
        let etag = format!("\"{hash}-{}-{:08x}\"", format.name(), gain.to_bits());
        let frames = manifest.total.unwrap_or(manifest.commit.stems);
        let source = manifest.source.as_ref();
        let rate = source.map_or(manifest.plan.model_rate, |source| source.output_rate);
        Ok(Wanted { session: Arc::clone(session), stem, format, form, frames, rate, etag })
    }

    /// The bytes of its WAV file.
    ///
    /// # Errors
    /// What opening the stem says.
    pub(super) fn wav(&self) -> Result<WavSource, ApiError> {
        Ok(WavSource::open(&self.session, &self.stem, self.frames, self.rate, self.form)?)
    }

    fn answer(&self, part: Part, size: u64, body: Body) -> Response<Body> {
        let manifest = self.session.manifest();
        let title = title(&manifest.settings.file_name);
        let name = format!("{title} - {}.{}", self.stem, self.format.extension());
        let mut response = Response::new(body);
        let mut set = |name: HeaderName, value: String| {
            // All of it is ASCII without control characters.
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

/// The gain at which a peak is just below full scale; 1 where it is anyway.
fn fitting_gain(peak: f32) -> f32 {
    // A step of 16 bits below full scale, which the positive side of integers lacks.
    if peak > 0.0 { (32_767.0 / 32_768.0 / peak).min(1.0) } else { 1.0 }
}
