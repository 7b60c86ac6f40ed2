//! Fuzz targets for the parsers of HTTP requests.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use multer::Multipart;

use super::disposition::attachment;
use super::file_name::file_name;
use super::metered_body::metered;
use super::options::{OPTIONS, SeparateOptions};
use super::query::Query;
use super::range::{Part, part};
use super::tus::UploadMetadata;
use crate::audio::title;
use crate::server::least_rate::LeastRate;
use crate::server::memory_budget::Budget;
use crate::session::SessionId;
use crate::session::store::PageCursor;

/// The boundary of all forms.
const BOUNDARY: &str = "b";

/// Parses a form. The first byte is the length of the chunks in which the rest arrives.
pub(crate) fn form(bytes: &[u8]) {
    let Some((&length, body)) = bytes.split_first() else { return };
    let pieces = body.chunks(usize::from(length).max(1)).map(Bytes::copy_from_slice);
    let pieces: Vec<io::Result<Bytes>> = pieces.map(Ok).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without I/O can be built");
    // Most inputs are refused.
    let _ = runtime.block_on(read(Body::from_stream(tokio_stream::iter(pieces))));
}

/// Reads the options, then the song.
async fn read(body: Body) -> Result<(), ()> {
    let least_rate = LeastRate { bytes_per_s: 0, window: Duration::from_secs(60) };
    let (body, meter) = metered(body, Arc::new(Budget::new(u64::MAX)), least_rate);
    let mut form = Multipart::new(body, BOUNDARY);
    let mut options = SeparateOptions::default();
    while let Some(mut field) = form.next_field().await.map_err(drop)? {
        meter.reset();
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            options.settings(&file_name(field.headers())).map_err(drop)?;
        }
        let mut value = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(drop)? {
            meter.reset();
            value.extend(piece);
        }
        if name != "file" {
            options.set_field(&name, &String::from_utf8(value).map_err(drop)?).map_err(drop)?;
        }
    }
    Ok(())
}

/// Parses a header or a part of a URL; the first byte selects which.
pub(crate) fn query(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(bytes);
    match kind % 6 {
        0 => range(bytes),
        1 => drop(
            SeparateOptions::of_query(Some(&text), OPTIONS)
                .and_then(|options| options.settings("song.mp3")),
        ),
        2 => page(&text),
        3 => {
            if let Ok(id) = text.parse::<SessionId>() {
                assert_eq!(id.to_string(), text.to_ascii_lowercase());
            }
        }
        4 => {
            let name = title(&text);
            assert!(!name.is_empty() && !name.contains(['/', '\\']), "{name:?} is a path");
            HeaderValue::from_str(&attachment(&name)).expect("a name is a header value");
        }
        _ => metadata(bytes),
    }
}

/// The lines of the input are Range, If-Range and If-None-Match.
fn range(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [RANGE, IF_RANGE, IF_NONE_MATCH].into_iter().zip(bytes.split(|&b| b == b'\n'))
    {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    for size in [0, 1, 100, u64::MAX] {
        if let Ok(Part::Range { first, last }) = part(&headers, "\"tag\"", size) {
            assert!(first <= last && last < size, "{first}-{last} of {size}");
        }
    }
}

/// The metadata of an upload.
fn metadata(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(HeaderName::from_static("upload-metadata"), value)]);
    let Ok(metadata) = UploadMetadata::of(&headers) else { return };
    let mut options = SeparateOptions::default();
    if metadata.set_options(&mut options).is_ok() {
        drop(options.settings(metadata.file_name()));
    }
}

fn page(text: &str) {
    let query = Query::parse(Some(text), "page_size, page_token").ok();
    let token = query.as_ref().and_then(|query| query.text("page_token")).unwrap_or(text);
    if let Some(cursor) = PageCursor::from_token(token) {
        assert!(PageCursor::from_token(&cursor.to_token()).is_some());
    }
    if let Some(query) = query {
        drop(query.value::<u32>("page_size", "a number"));
    }
}
