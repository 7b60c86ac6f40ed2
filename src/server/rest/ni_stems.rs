//! `GET /download/{session_id}.stem.mp4`: the mix and the stems in one file for DJ software.

use std::io;
use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response};

use super::byte_source::Source;
use super::disposition::attachment;
use super::download_options::{invalid, wants_tags};
use super::ffmpeg_permit::Permitted;
use super::file_response::{check_ended, rate, stored};
use super::outlet::Outlet;
use super::query::Query;
use super::song_tags::SongTags;
use super::stem_source::PIECE_FRAMES;
use super::{Rest, RouteResult};
use crate::audio::{FileFormat, Frames, Hertz, Stereo, title};
use crate::encode::ni_stems::{NiStemCodec, NiStemPlan, NiStemsEncoder};
use crate::encode::{self, EncodeError, Ffmpeg, FileTags, Output};
use crate::server::status::Problem;
use crate::session::stem_reader::StemReader;

/// The end of the file's name, by which the route is known too.
pub(super) const EXTENSION: &str = ".stem.mp4";

/// Downloads mix and stems as an NI stem file.
///
/// For DJ software: five stereo tracks, of which ordinary players play the first, the sum of the stems. The session must have
/// ended, and have drums, bass, other and vocals; further stems are added to other.
#[utoipa::path(
    get,
    path = "/download/{id}.stem.mp4",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        ("codec" = Option<String>, Query, description = "`aac`, which FFmpeg encodes, or `alac`, which Traktor on Windows does not read; default `aac` where FFmpeg is installed, else `alac`", pattern = "^(aac|alac)$"),
        ("tags" = Option<bool>, Query, description = "tags and cover of the song; default true"),
    ),
    responses(
        (status = 200, description = "the file", content_type = "audio/mp4", body = [u8]),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn file(
    rest: &Rest,
    method: &Method,
    id: &str,
    query: Option<&str>,
) -> RouteResult {
    let query = Query::parse(query, "codec, tags")?;
    let codec = query.value("codec", "aac or alac")?;
    let wants_tags = wants_tags(&query)?;
    let session = rest.find(id).await?;
    check_ended(&session)?;
    let manifest = session.durable_manifest();
    let plan = NiStemPlan::of(&manifest.plan.stems)?;
    let rate = rate(&manifest);
    let ffmpeg = rest.separations.ffmpeg();
    let ffmpeg = match codec {
        Some(WantedCodec::Alac) => None,
        Some(WantedCodec::Aac) => {
            encode::check(FileFormat::M4aAac, rate, ffmpeg.as_ref())
                .map_err(|error| invalid("codec", &error))?;
            ffmpeg
        }
        None => ffmpeg,
    };
    let codec = NiStemCodec::of(rate, ffmpeg.as_ref());
    let media_type = codec.media_type();
    let needs_permit = matches!(codec, NiStemCodec::Aac(_));
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let form = stored(manifest.settings.gain);
        let open = |stem| StemReader::open(&session, stem, Frames::ZERO, form);
        let readers =
            plan.stems.iter().map(|stem| open(stem.as_str())).collect::<Result<_, _>>()?;
        let tags = match wants_tags {
            true => Some(SongTags::read(rest, &session).await?.of_part(None)),
            false => None,
        };
        let outlet = Outlet::default();
        let state = NiStemsState::Pending;
        let source = NiStemsSource { readers, plan, rate, ffmpeg, tags, outlet, state };
        rest.body(Permitted::new(source, needs_permit, &rest.ffmpeg)?)
    };
    let name = format!("{}{EXTENSION}", title(&manifest.settings.file_name));
    Ok(answer(&name, media_type, body))
}

fn answer(name: &str, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // ASCII without control characters.
    if let Ok(value) = HeaderValue::try_from(attachment(name)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// The option `codec`.
enum WantedCodec {
    Aac,
    Alac,
}

impl FromStr for WantedCodec {
    type Err = ();

    fn from_str(text: &str) -> Result<WantedCodec, ()> {
        match text {
            "aac" => Ok(WantedCodec::Aac),
            "alac" => Ok(WantedCodec::Alac),
            _ => Err(()),
        }
    }
}

/// The stems of a session in one file, encoded while it is read.
struct NiStemsSource {
    readers: Vec<StemReader>,
    plan: NiStemPlan,
    rate: Hertz,
    ffmpeg: Option<Ffmpeg>,
    tags: Option<FileTags>,
    outlet: Outlet,
    state: NiStemsState,
}

enum NiStemsState {
    Pending,
    Begun(Box<NiStemsEncoder>),
    Ended,
}

impl NiStemsSource {
    /// Encodes the next frames.
    fn advance(&mut self) -> Result<(), EncodeError> {
        let state = std::mem::replace(&mut self.state, NiStemsState::Ended);
        self.state = match state {
            NiStemsState::Pending => {
                let output = Output::Stream(Box::new(self.outlet.clone()));
                let codec = NiStemCodec::of(self.rate, self.ffmpeg.as_ref());
                let (plan, tags) = (self.plan.clone(), self.tags.clone());
                let encoder = NiStemsEncoder::start(plan, self.rate, codec, tags, output)?;
                NiStemsState::Begun(Box::new(encoder))
            }
            NiStemsState::Begun(mut encoder) => {
                let read = |reader: &mut StemReader| reader.read_audio(PIECE_FRAMES);
                let blocks = self.readers.iter_mut().map(read).collect::<Result<Vec<_>, _>>()?;
                if blocks.iter().all(Stereo::is_empty) {
                    encoder.finish()?;
                    NiStemsState::Ended
                } else {
                    encoder.write(&blocks)?;
                    NiStemsState::Begun(encoder)
                }
            }
            NiStemsState::Ended => NiStemsState::Ended,
        };
        Ok(())
    }
}

impl Source for NiStemsSource {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if matches!(self.state, NiStemsState::Ended) {
            return Ok(None);
        }
        self.advance()?;
        Ok(Some(self.outlet.fetch().into()))
    }

    fn encodes(&self) -> bool {
        true
    }

    fn held_bytes(&self) -> usize {
        // The cover, and the user data with it at the end.
        4 * self.tags.as_ref().map_or(0, FileTags::cover_bytes)
    }
}
