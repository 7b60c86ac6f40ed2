//! `GET /download/{session_id}/mix`: the sum of the stems with a gain each, as a file.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::download_options::{DownloadOptions, DownloadParameters, invalid};
use super::file_response::{Content, FileResponse, check_ended, form, samples_tag, spec, stored};
use super::query::Query;
use super::stem_source::{EncodedSource, PcmSource};
use super::{Rest, RouteResult};
use crate::audio::mix::{Mix, MixError, MixGains};
use crate::audio::{Frames, StemName, title};
use crate::encode::pcm_file::PcmFile;
use crate::encode::{self, Ffmpeg, FileSpec};
use crate::model::Sha256Hash;
use crate::server::lookup;
use crate::server::status::{ApiError, Problem};
use crate::session::mix_reader::MixReader;
use crate::session::{Manifest, Session};

/// Gains of the stems of a mix.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the option, which is parsed with the others")]
struct MixParameters {
    /// Gains in dB: -60 to 12, or `-inf` to mute a stem. Stems that are not named have 0 dB.
    #[schema(example = "vocals:-inf,drums:-3")]
    gains: Option<String>,
}

/// Downloads a mix of the stems.
///
/// The sum of the stems with a gain each, made while it is sent; without gains, it is the song. An accompaniment is left
/// out where its parts are there, unless it is named and they are not: then it takes their place. Files without
/// compression have byte ranges and a size; files of other formats have neither.
#[utoipa::path(
    get,
    path = "/download/{id}/mix",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        MixParameters,
        DownloadParameters,
    ),
    responses(
        (status = 200, description = "the mix", content(([u8] = "audio/wav"), ([u8] = "audio/flac"), ([u8] = "audio/aiff"), ([u8] = "audio/ogg"), ([u8] = "audio/mpeg"), ([u8] = "audio/mp4"))),
        (status = 206, description = "the range of `Range`", content(([u8] = "audio/wav"), ([u8] = "audio/flac"), ([u8] = "audio/aiff"), ([u8] = "audio/ogg"), ([u8] = "audio/mpeg"), ([u8] = "audio/mp4"))),
        (status = 304, description = "unchanged since `If-None-Match`"),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn mix(
    Extract(rest): Extract<Rest>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> RouteResult {
    let query = Query::parse(query.as_deref(), "gains, format, fit, bitrate, channels, tags")?;
    let options = DownloadOptions::of(&query)?;
    let session = rest.find(&id).await?;
    let manifest = session.durable_manifest();
    let stems = &manifest.plan.stems;
    let gains = query.text("gains").unwrap_or_default();
    let mix = gains.parse().and_then(|gains: MixGains| gains.of(stems));
    let mix =
        mix.map_err(|error: MixError| ApiError::MixInvalid { error, stems: stems.clone() })?;
    check_ended(&session)?;
    let format = options.format;
    let gain = common_gain(&manifest, &mix, options);
    let name = format!("{} ({})", title(&manifest.settings.file_name), mix.label);
    let song = options.song_tags(&rest, &session).await?;
    let tags = song.map(|song| song.of_part(Some(&mix.label)));
    let spec = FileSpec { tags, ..spec(&manifest, options, "mix") };
    let etag = etag(&session, &mix, gain, &spec);
    let content = content(&session, &mix, gain, spec, rest.separations.ffmpeg())?;
    let has_ranges = PcmFile::is_of(format);
    FileResponse { name, format, etag, has_ranges, content }.answer(&rest, &headers)
}

/// The gain of all stems: that of the session, lowered for `fit` to where the sum of the peaks does not clip.
fn common_gain(manifest: &Manifest, mix: &Mix, options: DownloadOptions) -> f32 {
    let gain = manifest.settings.gain;
    let peak = |name: &StemName| manifest.stems.iter().find(|stem| stem.name == *name);
    let peaks = mix.stems.iter().filter_map(|(stem, factor)| Some(peak(stem)?.peak * factor));
    let fitting = options.format.fitting_gain(peaks.sum::<f32>() * gain);
    if options.fit && fitting < 1.0 { gain * fitting } else { gain }
}

/// Equal samples of all stems with equal gains in an equal format are equal bytes.
fn etag(session: &Session, mix: &Mix, gain: f32, spec: &FileSpec) -> String {
    let manifest = session.durable_manifest();
    let stems = mix.stems.iter().map(|(stem, factor)| {
        let factor = (factor * gain).to_bits();
        format!("{} {factor:08x}\n", samples_tag(session, &manifest, stem))
    });
    let hash = Sha256Hash::of(stems.collect::<String>().as_bytes()).to_string();
    format!("\"{}-{}\"", &hash[..32], form(spec))
}

fn content(
    session: &Arc<Session>,
    mix: &Mix,
    gain: f32,
    spec: FileSpec,
    ffmpeg: Option<Ffmpeg>,
) -> Result<Content, ApiError> {
    encode::check(spec.format, spec.rate, ffmpeg.as_ref())
        .map_err(|error| invalid("format", &error))?;
    let open = |(stem, factor): &(StemName, f32)| {
        lookup::stem(session, stem.as_str(), Frames::ZERO, stored(factor * gain))
    };
    let readers = mix.stems.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    // A mix has at least one stem.
    let reader = MixReader::new(readers).ok_or(ApiError::Defect)?;
    if !PcmFile::is_of(spec.format) {
        return Ok(Content::Encoded(EncodedSource::new(reader, spec, ffmpeg)));
    }
    Ok(Content::Pcm(PcmSource::new(reader, &spec).map_err(|error| invalid("format", &error))?))
}
