//! The headers of the protocol.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use base64::engine::{Engine, general_purpose::STANDARD};

use crate::separation::Limits;
use crate::server::rest::options::{SETTINGS, SeparateOptions};
use crate::server::status::ApiError;
use crate::session::manifest::Announced;
use crate::session::{Manifest, Session, SessionState};

/// The version of the protocol.
pub(super) const VERSION: &str = "1.0.0";

/// The supported extensions.
pub(super) const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,termination";

/// The media type of bodies.
const UPLOAD_TYPE: &str = "application/offset+octet-stream";

/// Limit of the header `Upload-Metadata`, in bytes.
const MAX_METADATA_BYTES: usize = 4096;

/// The longest time until the end of an upload that is shown: a date has four digits for the year.
const MAX_WINDOW: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Checks that the client uses this version of the protocol.
///
/// # Errors
/// `TusVersionUnsupported`.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    match text(headers, "Tus-Resumable") {
        Some(VERSION) => Ok(()),
        given => Err(ApiError::TusVersionUnsupported { given: shown(given), supported: VERSION }),
    }
}

/// Whether the body has the media type of uploads.
pub(super) fn is_upload(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(UPLOAD_TYPE)
}

/// The error of a body of another media type.
pub(super) fn type_error(headers: &HeaderMap) -> ApiError {
    let given = shown(text(headers, CONTENT_TYPE.as_str()));
    ApiError::UploadTypeUnsupported { given, expected: UPLOAD_TYPE }
}

/// The number in a header.
///
/// # Errors
/// `Invalid`.
pub(super) fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    let problem = || {
        let given = shown(text(headers, name));
        ApiError::Invalid { field: name, problem: format!("{given} is not a number of bytes") }
    };
    Ok(Some(number.ok_or_else(problem)?))
}

/// The length that a new upload will have; `None` if the client will announce it later.
///
/// # Errors
/// `Invalid`.
pub(super) fn new_length(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let length = number(headers, "Upload-Length")?;
    match (length, text(headers, "Upload-Defer-Length")) {
        (Some(_), None) => Ok(length),
        (None, Some("1")) => Ok(None),
        (None, Some(_)) => {
            let problem = "it must be 1".to_owned();
            Err(ApiError::Invalid { field: "Upload-Defer-Length", problem })
        }
        _ => {
            let problem = "either it or `Upload-Defer-Length: 1` must be sent".to_owned();
            Err(ApiError::Invalid { field: "Upload-Length", problem })
        }
    }
}

/// The length of an upload, if it is complete or the client has announced it.
pub(super) fn length_of(manifest: &Manifest) -> Option<u64> {
    manifest.upload.total.or(manifest.announced.length)
}

/// Adds the state of an upload. One that is not complete expires at the end of the resume window, or with its session if
/// that is done.
pub(super) fn add_state(headers: &mut HeaderMap, session: &Session, limits: &Limits) {
    let manifest = session.durable_manifest();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("Upload-Offset", HeaderValue::from(session.durable_bytes()));
    match length_of(&manifest) {
        Some(length) => headers.insert("Upload-Length", HeaderValue::from(length)),
        None => headers.insert("Upload-Defer-Length", HeaderValue::from_static("1")),
    };
    let metadata = manifest.announced.metadata.as_deref();
    if let Some(Ok(metadata)) = metadata.map(HeaderValue::from_str) {
        headers.insert("Upload-Metadata", metadata);
    }
    if !manifest.upload_complete() {
        let updated = UNIX_EPOCH + Duration::from_millis(manifest.updated.0);
        let (since, window) = match manifest.state() {
            SessionState::Paused => (updated, limits.resume_window),
            SessionState::Done => (updated, limits.retention.age),
            _ => (SystemTime::now(), limits.resume_window),
        };
        let end = httpdate::fmt_http_date(since + window.min(MAX_WINDOW));
        // A date is ASCII.
        if let Ok(end) = HeaderValue::from_str(&end) {
            headers.insert("Upload-Expires", end);
        }
    }
}

/// What the client sent about the file, in the header `Upload-Metadata`: keys with values in Base64.
#[derive(Debug, Default)]
pub(in crate::server::rest) struct Metadata {
    text: Option<String>,
    pairs: Vec<(String, String)>,
}

impl Metadata {
    /// Reads the header.
    ///
    /// # Errors
    /// `Invalid`; `FieldTooLong`; `FieldRepeated` for a key.
    pub(in crate::server::rest) fn of(headers: &HeaderMap) -> Result<Metadata, ApiError> {
        let invalid = |problem: &str| {
            let problem = problem.to_owned();
            ApiError::Invalid { field: "Upload-Metadata", problem }
        };
        let Some(value) = headers.get("Upload-Metadata") else { return Ok(Metadata::default()) };
        if value.len() > MAX_METADATA_BYTES {
            let (name, limit) = ("Upload-Metadata".to_owned(), MAX_METADATA_BYTES);
            return Err(ApiError::FieldTooLong { name, limit });
        }
        let text = value.to_str().map_err(|_| invalid("it is not ASCII"))?;
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, encoded) = pair.split_once(' ').unwrap_or((pair, ""));
            let bytes = STANDARD.decode(encoded.trim());
            let bytes = bytes.map_err(|_| invalid("a value is not Base64"))?;
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(ApiError::FieldRepeated(key.chars().take(64).collect()));
            }
            pairs.push((key.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(Metadata { text: Some(text.to_owned()), pairs })
    }

    /// The name of the file: `filename`, or `name`, which some clients send; empty if there is none.
    pub(in crate::server::rest) fn file_name(&self) -> &str {
        let named = |name| self.pairs.iter().find(|(key, _)| key == name);
        named("filename").or_else(|| named("name")).map_or("", |(_, value)| value)
    }

    /// Sets the options that the metadata name; clients may send any other keys.
    ///
    /// # Errors
    /// Those of [`SeparateOptions::set`].
    pub(in crate::server::rest) fn set_options(
        &self,
        options: &mut SeparateOptions,
    ) -> Result<(), ApiError> {
        let is_option = |key: &str| SETTINGS.split(", ").any(|option| option == key);
        for (key, value) in self.pairs.iter().filter(|(key, _)| is_option(key)) {
            options.set(key, value, SETTINGS)?;
        }
        Ok(())
    }

    /// What is recorded of an upload with these metadata and this length.
    pub(super) fn announced(self, length: Option<u64>) -> Announced {
        Announced { length, metadata: self.text }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn shown(given: Option<&str>) -> String {
    match given {
        Some(given) => format!("{:?}", given.chars().take(64).collect::<String>()),
        None => "missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        given.iter().map(pair).collect()
    }

    #[track_caller]
    fn check_length(given: &[(&'static str, &str)], expected: Result<Option<u64>, &str>) {
        let found = new_length(&headers(given)).map_err(|error| error.to_string());
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
            (Err(error), Err(part)) => assert!(error.starts_with(part), "{error}"),
            _ => panic!("{given:?} gave {found:?}"),
        }
    }

    #[test]
    fn a_new_upload_has_a_length_or_defers_it() {
        check_length(&[("Upload-Length", "17")], Ok(Some(17)));
        check_length(&[("Upload-Defer-Length", "1")], Ok(None));
        check_length(&[], Err("Upload-Length"));
        check_length(&[("Upload-Length", "1"), ("Upload-Defer-Length", "1")], Err("Upload-Length"));
        check_length(&[("Upload-Defer-Length", "0")], Err("Upload-Defer-Length"));
        for bad in ["", "-1", "+1", "1.5", "x", "99999999999999999999"] {
            check_length(&[("Upload-Length", bad)], Err("Upload-Length"));
        }
    }

    #[track_caller]
    fn check(metadata: &str, expected: Result<(&str, usize), &str>) {
        let read = Metadata::of(&headers(&[("Upload-Metadata", metadata)]));
        let found = read.and_then(|metadata| {
            let mut options = SeparateOptions::default();
            metadata.set_options(&mut options)?;
            Ok((metadata.file_name().to_owned(), options.settings("")?.stems.len()))
        });
        match (found, expected) {
            (Ok(found), Ok((name, stems))) => assert_eq!(found, (name.to_owned(), stems)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{metadata:?} gave {found:?}"),
        }
    }

    #[test]
    fn metadata_name_the_file_and_options() {
        check("", Ok(("", 0)));
        check("filename 5pm0Lm1wMw==", Ok(("晴.mp3", 0)));
        check("name YQ==, filename Yg==,is_confidential,filetype YXVkaW8vd2F2", Ok(("b", 0)));
        check("stems dm9jYWxzLGRydW1z,name YQ==", Ok(("a", 2)));
        check("stems Li4vdm9jYWxz", Err("config.stems"));
        check("overlap bXVjaA==", Err("overlap"));
        check("filename ?", Err("Base64"));
        check("a YQ==,a YQ==", Err("twice"));
        check(&"a".repeat(MAX_METADATA_BYTES + 1), Err("exceeds the limit"));
    }

    #[test]
    fn the_type_of_a_body_may_have_parameters() {
        let check = |given: &str, expected| {
            assert_eq!(is_upload(&headers(&[("content-type", given)])), expected, "{given}");
        };
        check("application/offset+octet-stream", true);
        check("Application/Offset+Octet-Stream ; x=y", true);
        check("application/octet-stream", false);
        assert!(!is_upload(&headers(&[])));
    }
}
