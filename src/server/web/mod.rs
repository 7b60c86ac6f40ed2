//! The page at `/`: the built files of `clients/web`, embedded in the binary.
//!
//! The files are public and static: no token is needed, and browsers cache them by their hash. The page calls the
//! server over grpc-web, like any other client.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::get;

use crate::licences::LicenceList;
use crate::model::Sha256Hash;

/// Content security policy: the page loads its own files and calls its own server. The hash is that of the style
/// sheet that wavesurfer.js writes into its shadow tree; the page's tests fail when a release changes it.
/// `wasm-unsafe-eval` allows scripts of the page to compile WebAssembly, as `stretch.js` does for speed and pitch; it
/// allows neither `eval` nor other scripts.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'sha256-fF0LBso7Nz75zaFRDBUefBDvPe19hjaiDnnc8lt+2Js='; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every file, besides its type.
const HEADERS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    ),
    // File names do not contain their hash: browsers ask again, and mostly receive 304.
    (CACHE_CONTROL, "no-cache"),
];

/// A file of the page.
struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! file {
    ($name:literal, $content_type:literal) => {
        File {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../clients/web/dist/", $name)),
        }
    };
}

const INDEX: File = file!("index.html", "text/html; charset=utf-8");

/// The files below `/static/`.
const STATIC: [File; 4] = [
    file!("app.js", "text/javascript; charset=utf-8"),
    file!("stretch.js", "text/javascript; charset=utf-8"),
    file!("app.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
];

/// The licences of all that the program consists of.
static LICENCES: LazyLock<File> = LazyLock::new(|| File {
    name: "licences",
    content_type: "text/plain; charset=utf-8",
    bytes: LicenceList::of_this_build().full_text().leak().as_bytes(),
});

static INDEX_TAG: LazyLock<String> = LazyLock::new(|| tag(&INDEX));
static LICENCES_TAG: LazyLock<String> = LazyLock::new(|| tag(&LICENCES));
static STATIC_TAGS: LazyLock<[String; STATIC.len()]> = LazyLock::new(|| STATIC.each_ref().map(tag));

/// The page's routes.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { answer(&INDEX, &INDEX_TAG, &headers) }))
        .route(
            "/licences",
            get(|headers: HeaderMap| async move { answer(&LICENCES, &LICENCES_TAG, &headers) }),
        )
        .route("/static/{file}", get(static_file))
}

/// Whether a path is a file of the page, which needs no token.
pub(super) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/licences") || path.starts_with("/static/")
}

async fn static_file(Path(name): Path<String>, headers: HeaderMap) -> Response<Body> {
    let Some(at) = STATIC.iter().position(|file| file.name == name) else {
        return response(StatusCode::NOT_FOUND, Body::from("no such file\n"));
    };
    answer(&STATIC[at], &STATIC_TAGS[at], &headers)
}

/// The file, or 304 if the browser has it.
fn answer(file: &File, tag: &str, asked: &HeaderMap) -> Response<Body> {
    let mut response = if holds(asked, tag) {
        response(StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        response(StatusCode::OK, Body::from(file.bytes))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether `If-None-Match` contains this tag.
fn holds(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

fn tag(file: &File) -> String {
    let hash = Sha256Hash::of(file.bytes).to_string();
    // Half of the hash distinguishes all versions of a file.
    format!("\"{}\"", &hash[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(held: &str, expected: StatusCode) {
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, held.parse().unwrap());
        assert_eq!(answer(&INDEX, &INDEX_TAG, &asked).status(), expected, "{held}");
    }

    #[test]
    fn a_file_that_the_browser_holds_is_not_sent_again() {
        let tag = INDEX_TAG.as_str();
        check(tag, StatusCode::NOT_MODIFIED);
        check(&format!("W/{tag}"), StatusCode::NOT_MODIFIED);
        check(&format!("\"other\", {tag}"), StatusCode::NOT_MODIFIED);
        check("*", StatusCode::NOT_MODIFIED);
        check("\"other\"", StatusCode::OK);
        check(&STATIC_TAGS[0], StatusCode::OK);
    }

    #[test]
    fn only_the_page_is_open() {
        for path in ["/", "/licences", "/static/app.js"] {
            assert!(is_page(path), "{path}");
        }
        for path in
            ["", "/static", "/licences/x", "/download/x", "/stemwire.v1.SeparationService/Health"]
        {
            assert!(!is_page(path), "{path}");
        }
    }
}
