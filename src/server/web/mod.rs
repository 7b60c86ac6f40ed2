//! The page at `/`: the built files of `clients/web`, which are part of the binary.
//!
//! Nothing in them is secret and nothing is made per request, so they are open without a token, and a browser
//! keeps them as long as their hash stays the same. The page's calls come back over grpc-web like anybody's.

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

use crate::model::Sha256Hash;

/// What the page may do: load its own files and call its own server, whatever name and port that has. The
/// hash is that of the one style sheet that wavesurfer.js writes into its own shadow tree; a release of it with
/// another one shows in the page's tests.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-fF0LBso7Nz75zaFRDBUefBDvPe19hjaiDnnc8lt+2Js='; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every file beside its type.
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
    // The name of a file does not change with its content: it is asked for again, and mostly not sent again.
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

/// What lies below `/static/`.
const STATIC: [File; 4] = [
    file!("app.js", "text/javascript; charset=utf-8"),
    file!("app.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("licences.txt", "text/plain; charset=utf-8"),
];

static INDEX_TAG: LazyLock<String> = LazyLock::new(|| tag(&INDEX));
static STATIC_TAGS: LazyLock<[String; STATIC.len()]> = LazyLock::new(|| STATIC.each_ref().map(tag));

/// The page's routes.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { answer(&INDEX, &INDEX_TAG, &headers) }))
        .route("/static/{file}", get(static_file))
}

/// Whether a path is one of the page's own, which holds no secret.
pub(super) fn is_page(path: &str) -> bool {
    path == "/" || path.starts_with("/static/")
}

async fn static_file(Path(name): Path<String>, headers: HeaderMap) -> Response<Body> {
    let Some(at) = STATIC.iter().position(|file| file.name == name) else {
        return response(StatusCode::NOT_FOUND, Body::from("the page has no such file\n"));
    };
    answer(&STATIC[at], &STATIC_TAGS[at], &headers)
}

/// The file, or word that the browser has it.
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

/// Whether the browser says that it holds what has this tag.
fn holds(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

fn tag(file: &File) -> String {
    let hash = Sha256Hash::of(file.bytes).to_string();
    // Half of it tells apart all versions of a file.
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
        for path in ["/", "/static/app.js"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["", "/static", "/download/x", "/stemwire.v1.SeparationService/Health"] {
            assert!(!is_page(path), "{path}");
        }
    }
}
