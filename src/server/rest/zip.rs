//! `GET /download/{session_id}.zip`: all stems as one file, generated while it is read.
//!
//! Stems are stored uncompressed: float samples compress little, FLAC files not at all. Checksums follow the data,
//! so every stem is read once.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::byte_source::Source;
use super::disposition::attachment;
use super::download::StemDownload;
use super::download_options::{DownloadOptions, DownloadParameters};
use super::ffmpeg_permit::Permitted;
use super::file_response::check_ended;
use super::ni_stems;
use super::outlet::Outlet;
use super::query::Query;
use super::{Rest, RouteResult};
use crate::audio::title;
use crate::encode;
use crate::server::status::{ApiError, Problem};
use crate::session::Session;
use crate::session::name_template::{InvalidNameTemplate, NameTemplate, NameValues};

/// The end of the file's name.
const EXTENSION: &str = ".zip";

/// File size from which 64-bit sizes are used: a little below 4 GiB, because headers count too.
const LARGE: u64 = 0xF000_0000;

/// Options of archives.
#[derive(Serialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the option, which is parsed by name")]
pub(super) struct ZipParameters {
    /// Names of the files, such as `{artist}/{title}/{track} {stem}`, without their extension. Placeholders: title, artist,
    /// album, track, source, model, stem. Default: `{stem}`.
    name: Option<String>,
}

/// Downloads all stems.
///
/// As one ZIP file. The session must have ended: if it failed or was cancelled, the files have the frames that were
/// finished.
#[utoipa::path(
    get,
    path = "/download/{id}.zip",
    tag = "stems",
    params(
        ("id" = String, Path, description = "session id", format = "uuid"),
        DownloadParameters,
        ZipParameters,
    ),
    responses(
        (status = 200, description = "the stems", content_type = "application/zip", body = [u8]),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn archive(
    rest: &Rest,
    method: &Method,
    id: &str,
    query: Option<&str>,
) -> RouteResult {
    let query = Query::parse(query, "format, fit, bitrate, channels, tags, name")?;
    let options = DownloadOptions::of(&query)?;
    let names = query.text("name").unwrap_or(NameTemplate::DEFAULT).parse();
    let names: NameTemplate = names.map_err(|error: InvalidNameTemplate| ApiError::Invalid {
        field: "name",
        problem: error.to_string(),
    })?;
    let session = rest.find(id).await?;
    check_ended(&session)?;
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        // Its files are encoded one after the other.
        let archive = Archive::new(files(rest, &session, options, &names).await?);
        rest.body(Permitted::new(archive, encode::needs_ffmpeg(options.format), &rest.ffmpeg)?)
    };
    Ok(answer(&session, body))
}

/// The files of all stems, by the end of the path.
///
/// # Errors
/// `RouteUnknown`; those of the files.
pub(super) async fn all(
    Extract(rest): Extract<Rest>,
    method: Method,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> RouteResult {
    if let Some(id) = name.strip_suffix(EXTENSION) {
        return archive(&rest, &method, id, query.as_deref()).await;
    }
    if let Some(id) = name.strip_suffix(ni_stems::EXTENSION) {
        return ni_stems::file(&rest, &method, id, query.as_deref()).await;
    }
    let path = format!("/download/{}", name.chars().take(100).collect::<String>());
    Err(ApiError::RouteUnknown { path }.into())
}

/// The files of the archive.
async fn files(
    rest: &Rest,
    session: &Arc<Session>,
    options: DownloadOptions,
    names: &NameTemplate,
) -> Result<Vec<ArchiveEntry>, ApiError> {
    let mut entries = Vec::new();
    let manifest = session.durable_manifest();
    let tags = manifest.source.as_ref().map(|source| source.tags.clone()).unwrap_or_default();
    let song = title(&manifest.settings.file_name);
    let model = Some(manifest.plan.model.as_str());
    let values = NameValues { source: &song, model, tags: Some(&tags) };
    let song_tags = options.song_tags(rest, session).await?;
    for stem in &manifest.plan.stems {
        let download = StemDownload::of(session, stem.as_str(), options, song_tags.as_ref())?;
        let content = download.content(rest, false).await?;
        let size = content.size().unwrap_or_else(|| download.most_bytes());
        let source = content.part(0, u64::MAX);
        let path = names.path(values, stem).unwrap_or_else(|| stem.to_string());
        let name = format!("{path}.{}", options.format.extension());
        entries.push(ArchiveEntry { name, size, source });
    }
    // Entries are taken from the end.
    entries.reverse();
    Ok(entries)
}

fn answer(session: &Session, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let name = format!("{}.zip", title(&session.durable_manifest().settings.file_name));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // ASCII without control characters.
    if let Ok(value) = HeaderValue::try_from(attachment(&name)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// A file of the archive.
struct ArchiveEntry {
    name: String,
    /// Size in bytes; where it is not known, at least the size.
    size: u64,
    source: Box<dyn Source>,
}

/// The archive, generated while it is read.
struct Archive {
    /// `None` once the central directory has been written.
    writer: Option<ZipWriter<StreamWriter<Outlet>>>,
    outlet: Outlet,
    current: Option<Box<dyn Source>>,
    /// The remaining files, in reverse order.
    entries: Vec<ArchiveEntry>,
    encodes: bool,
    held_bytes: usize,
}

impl Archive {
    fn new(entries: Vec<ArchiveEntry>) -> Archive {
        let outlet = Outlet::default();
        let writer = Some(ZipWriter::new_stream(outlet.clone()));
        let encodes = entries.iter().any(|entry| entry.source.encodes());
        // The files share the cover, and one is encoded at a time.
        let held_bytes = entries.iter().map(|entry| entry.source.held_bytes()).max().unwrap_or(0);
        Archive { writer, outlet, current: None, entries, encodes, held_bytes }
    }
}

impl Source for Archive {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(writer) = &mut self.writer else { return Ok(None) };
        if let Some(source) = &mut self.current {
            match source.next()? {
                Some(bytes) => writer.write_all(&bytes)?,
                None => self.current = None,
            }
        } else if let Some(entry) = self.entries.pop() {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(entry.size >= LARGE);
            writer.start_file(entry.name, options).map_err(io::Error::other)?;
            self.current = Some(entry.source);
        } else if let Some(writer) = self.writer.take() {
            writer.finish().map_err(io::Error::other)?;
        }
        Ok(Some(self.outlet.fetch().into()))
    }

    fn encodes(&self) -> bool {
        self.encodes
    }

    fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}
