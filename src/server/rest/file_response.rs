//! Answers a request for a file that is made from stems: whole, a byte range, or nothing new.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::byte_source::{FileSource, Source};
use super::disposition::attachment;
use super::download_options::DownloadOptions;
use super::ffmpeg_permit::Permitted;
use super::range::{Part, is_current, part};
use super::stem_source::{EncodedSource, PcmSource};
use super::{Refusal, Rest, RouteResult};
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName};
use crate::encode::dither::Dither;
use crate::encode::{self, FileSpec};
use crate::model::Sha256Hash;
use crate::server::outcome::end_error;
use crate::server::status::{ApiError, respond};
use crate::session::cached_file::CachedFile;
use crate::session::live::ReaderGuard;
use crate::session::stem_reader::StemFormat;
use crate::session::{Manifest, Progress, Session, SessionState};

/// The content of a file.
pub(super) enum Content {
    /// Made while it is read, also from the middle.
    Pcm(PcmSource),
    /// A file on disk, which stays while the session is read.
    Flac(CachedFile, ReaderGuard),
    /// Encoded while it is read, of unknown size, from its start.
    Encoded(EncodedSource),
}

impl Content {
    /// Size in bytes, if it is known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Content::Pcm(pcm) => Some(pcm.size()),
            Content::Flac(flac, _) => Some(flac.bytes()),
            Content::Encoded(_) => None,
        }
    }

    /// The bytes from `first` to before `end`, or its end; all where the size is not known.
    pub(super) fn part(self, first: u64, end: u64) -> Box<dyn Source> {
        match self {
            Content::Pcm(pcm) => Box::new(pcm.part(first, end)),
            Content::Flac(flac, guard) => Box::new(FileSource::new(flac, guard, first, end)),
            Content::Encoded(encoded) => Box::new(encoded),
        }
    }
}

/// A file to send.
pub(super) struct FileResponse {
    /// Its name, without extension.
    pub(super) name: String,
    pub(super) format: FileFormat,
    pub(super) etag: String,
    /// Whether ranges can be requested. The content of a request for one has a size.
    pub(super) has_ranges: bool,
    pub(super) content: Content,
}

impl FileResponse {
    /// The answer to a request with these headers; content of unknown size is sent whole.
    ///
    /// # Errors
    /// `RangeUnsatisfiable`; `ServerBusy` if FFmpeg encodes as many files as it may.
    pub(super) fn answer(self, rest: &Rest, headers: &HeaderMap) -> RouteResult {
        let FileResponse { name, format, etag, has_ranges, content } = self;
        let size = content.size();
        let part = match size {
            Some(size) => {
                part(headers, &etag, size).map_err(|error| unsatisfiable(&error, size))?
            }
            None if is_current(headers, &etag) => Part::NotModified,
            None => Part::Whole,
        };
        let body = match part {
            Part::NotModified => Body::empty(),
            Part::Whole => {
                let source = content.part(0, size.unwrap_or(u64::MAX));
                rest.body(Permitted::new(source, encode::needs_ffmpeg(format), &rest.ffmpeg)?)
            }
            Part::Range { first, last } => rest.body(content.part(first, last + 1)),
        };
        let mut response = Response::new(body);
        let mut set = |name: HeaderName, value: String| {
            // ASCII without control characters.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, etag);
        set(ACCEPT_RANGES, if has_ranges { "bytes" } else { "none" }.into());
        set(CACHE_CONTROL, "private, no-cache".into());
        set(X_CONTENT_TYPE_OPTIONS, "nosniff".into());
        set(CONTENT_DISPOSITION, attachment(&format!("{name}.{}", format.extension())));
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
        Ok(response)
    }
}

fn unsatisfiable(error: &ApiError, size: u64) -> Refusal {
    let mut response = respond(error);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    Refusal(Box::new(response))
}

/// Refuses sessions that have not ended, or have ended without a finished frame.
///
/// # Errors
/// `SessionNotDone` with the progress; the session's error if it failed or was cancelled.
pub(super) fn check_ended(session: &Session) -> Result<(), ApiError> {
    let Progress { state, finished, total, .. } = session.durable_progress();
    match state {
        SessionState::Done => Ok(()),
        SessionState::Failed | SessionState::Cancelled if finished > Frames::ZERO => Ok(()),
        SessionState::Failed | SessionState::Cancelled => end_error(session).map_or(Ok(()), Err),
        SessionState::Uploading | SessionState::Running | SessionState::Paused => {
            Err(ApiError::SessionNotDone { state, finished, total })
        }
    }
}

/// How stems are read: as they are stored, with a gain.
pub(super) fn stored(gain: f32) -> StemFormat {
    StemFormat { gain, ..StemFormat::STORED }
}

/// A file with the finished frames of a session, without tags. Its dither depends on `name`.
pub(super) fn spec(manifest: &Manifest, options: DownloadOptions, name: &str) -> FileSpec {
    let DownloadOptions { format, bitrate, channels, .. } = options;
    let channels = channels.unwrap_or(manifest.settings.channels);
    let channels = channels.count(manifest.source_channels());
    // The options have a bitrate that the format has.
    let bitrate = encode::bitrate(format, channels, bitrate).unwrap_or_default();
    let rate = rate(manifest);
    let (frames, dither_seed) = (manifest.commit.stems, Dither::seed(name));
    FileSpec { format, channels, rate, frames, bitrate, dither_seed, tags: None }
}

/// What the bytes of a file depend on besides the samples and their gain: another release may encode otherwise.
pub(super) fn form(spec: &FileSpec) -> String {
    let name = spec.format.name();
    let mono = if spec.channels == 1 { "-mono" } else { "" };
    let form = match spec.bitrate {
        Some(kbits) => format!("{name}{mono}-{kbits}-{}", env!("CARGO_PKG_VERSION")),
        None if spec.format.is_flac() => format!("{name}{mono}-{}", env!("CARGO_PKG_VERSION")),
        // Files of 16 bits had no dither in 0.1.0.
        None if spec.format.encoding() == Encoding::S16Le => format!("{name}{mono}-dither"),
        None => format!("{name}{mono}"),
    };
    let Some(tags) = &spec.tags else { return form };
    // A session has one cover at most.
    let hash = Sha256Hash::of(tags.fingerprint().as_bytes()).to_string();
    format!("{form}-tags-{}", &hash[..16])
}

/// The rate of a session's stems.
pub(super) fn rate(manifest: &Manifest) -> Hertz {
    let source = manifest.source.as_ref();
    source.map_or(manifest.plan.model_rate, |source| source.output_rate)
}

/// A text that is equal only for equal samples of a stem.
pub(super) fn samples_tag(session: &Session, manifest: &Manifest, stem: &StemName) -> String {
    let record = manifest.stems.iter().find(|record| record.name == *stem);
    match record.and_then(|record| record.sha256.as_deref()) {
        Some(hash) => hash.get(..32).unwrap_or(hash).to_owned(),
        // Without a hash, the session ended early: what is committed does not change any more.
        None => format!("{}.{}", session.id(), manifest.commit.stems.0),
    }
}
