//! `GET /download/{session_id}/{stem}`: a stem as a file, whole or a byte range.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;

use super::download_options::{DownloadOptions, DownloadParameters, invalid};
use super::file_response::{Content, FileResponse, check_ended, form, samples_tag, spec, stored};
use super::range::is_for_range;
use super::song_tags::SongTags;
use super::stem_source::{EncodedSource, PcmSource};
use super::{Rest, RouteResult};
use crate::audio::{Frames, StemName, Stereo, title};
use crate::encode::pcm_file::PcmFile;
use crate::encode::{self, FileSpec};
use crate::server::lookup;
use crate::server::status::{ApiError, Problem};
use crate::session::Session;
use crate::session::flac;

/// A stem in the requested format.
pub(super) struct StemDownload {
    session: Arc<Session>,
    stem: StemName,
    spec: FileSpec,
    gain: f32,
    fit: bool,
    etag: String,
}

/// Downloads a stem.
///
/// As a file of one of the formats. The session must have ended: if it failed or was cancelled, the file has the frames
/// that were finished. Files of lossy formats are encoded while they are sent: they have no ranges, and no size in front.
/// FLAC is encoded while it is sent, too, but has ranges: the first request for one encodes the whole file and keeps it.
#[utoipa::path(
    get,
    path = "/download/{id}/{stem}",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("stem" = String, Path, description = "stem name", example = "vocals", pattern = "^[a-z][a-z0-9_-]{0,31}$"),
        DownloadParameters,
    ),
    responses(
        (status = 200, description = "the stem", content(([u8] = "audio/wav"), ([u8] = "audio/flac"), ([u8] = "audio/aiff"), ([u8] = "audio/ogg"), ([u8] = "audio/mpeg"), ([u8] = "audio/mp4"))),
        (status = 206, description = "the range of `Range`", content(([u8] = "audio/wav"), ([u8] = "audio/flac"), ([u8] = "audio/aiff"), ([u8] = "audio/ogg"), ([u8] = "audio/mpeg"), ([u8] = "audio/mp4"))),
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
    let song = options.song_tags(&rest, &session).await?;
    let download = StemDownload::of(&session, &name, options, song.as_ref())?;
    let content = download.content(&rest, is_for_range(&headers, &download.etag)).await?;
    let name =
        format!("{} - {}", title(&session.durable_manifest().settings.file_name), download.stem);
    let StemDownload { spec, etag, .. } = download;
    let format = spec.format;
    let has_ranges = PcmFile::is_of(format) || format.is_flac();
    FileResponse { name, format, etag, has_ranges, content }.answer(&rest, &headers)
}

impl StemDownload {
    /// A stem of a session that has ended, with the tags of the song if it gets any.
    ///
    /// # Errors
    /// `StemNameInvalid`, `StemUnknown`.
    pub(super) fn of(
        session: &Arc<Session>,
        name: &str,
        options: DownloadOptions,
        song: Option<&SongTags>,
    ) -> Result<StemDownload, ApiError> {
        let DownloadOptions { format, fit, .. } = options;
        let manifest = session.durable_manifest();
        let gain = manifest.settings.gain;
        let loudest = manifest.stems.iter().fold(0.0_f32, |peak, stem| peak.max(stem.peak));
        let fitting = format.fitting_gain(loudest * gain);
        let fit = fit && fitting < 1.0;
        let gain = if fit { gain * fitting } else { gain };
        let reader = lookup::stem(session, name, Frames::ZERO, stored(gain))?;
        let stem = reader.stem().clone();
        let samples = samples_tag(session, &manifest, &stem);
        let tags = song.map(|song| song.of_part(Some(stem.as_str())));
        let spec = FileSpec { tags, ..spec(&manifest, options, stem.as_str()) };
        let etag = format!("\"{samples}-{}-{:08x}\"", form(&spec), gain.to_bits());
        Ok(StemDownload { session: Arc::clone(session), stem, spec, gain, fit, etag })
    }

    /// At least the bytes of the file.
    pub(super) fn most_bytes(&self) -> u64 {
        // No encoder needs more than the samples as they are computed.
        self.spec.frames.0.saturating_mul((Stereo::CHANNELS * size_of::<f32>()) as u64)
    }

    /// The stem's content. For a range of FLAC, creates the file if there is none; one is created at a time.
    ///
    /// # Errors
    /// Those of opening the stem; `Invalid` if the format does not support the sample rate or the length.
    pub(super) async fn content(
        &self,
        rest: &Rest,
        is_for_range: bool,
    ) -> Result<Content, ApiError> {
        let format = self.spec.format;
        let ffmpeg = rest.separations.ffmpeg();
        encode::check(format, self.spec.rate, ffmpeg.as_ref())
            .map_err(|error| invalid("format", &error))?;
        // Before the file is looked for, so that it stays.
        let guard = self.session.register_reader();
        if format.is_flac()
            && let Some(made) = flac::made(&self.session, &self.stem, &self.spec, self.fit)
        {
            return Ok(Content::Flac(made, guard));
        }
        if !(format.is_flac() && is_for_range) {
            let stem = self.stem.as_str();
            let reader = lookup::stem(&self.session, stem, Frames::ZERO, stored(self.gain))?;
            if !PcmFile::is_of(format) {
                let source = EncodedSource::new(reader.into(), self.spec.clone(), ffmpeg);
                return Ok(Content::Encoded(source));
            }
            let source = PcmSource::new(reader.into(), &self.spec);
            return Ok(Content::Pcm(source.map_err(|error| invalid("format", &error))?));
        }
        let permit = Arc::clone(&rest.flac).acquire_owned().await.map_err(|_| ApiError::Defect)?;
        let (session, stem) = (Arc::clone(&self.session), self.stem.clone());
        let (spec, gain, fit) = (self.spec.clone(), self.gain, self.fit);
        let make = rest.work(move |separations| {
            // Held by the task, which continues if the client disconnects.
            let _permit = permit;
            if let Some(made) = flac::made(&session, &stem, &spec, fit) {
                return Ok(made);
            }
            separations.check_space()?;
            Ok(flac::make(&session, &stem, &spec, gain, fit)?)
        });
        Ok(Content::Flac(make.await?, guard))
    }
}
