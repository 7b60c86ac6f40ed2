//! The name of a form's file, from the header `Content-Disposition` of its field.
//!
//! Browsers and curl send a `"` in a name as `%22`, and everything else but line breaks as it is (WHATWG HTML, "Multipart
//! form data"); `curl --form-escape` and older clients send `\"` and `\\`. A few send `filename*` (RFC 8187), although RFC
//! 7578 forbids it. multer's own reader knows `\"` only, and finds no name at all where `filename*` comes first.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode;

/// What browsers encode in a name.
const ENCODED: [(&str, &str); 3] = [("%22", "\""), ("%0D", "\r"), ("%0A", "\n")];

/// The name; empty if there is none. It is a label: it may be a path, or have any characters.
pub(super) fn file_name(headers: &HeaderMap) -> String {
    let header = headers.get(CONTENT_DISPOSITION).map_or(&[][..], |header| header.as_bytes());
    let mut plain = None;
    for (name, value) in Parameters(header) {
        if name.eq_ignore_ascii_case(b"filename*") {
            if let Some(extended) = extended(&value) {
                return extended;
            }
        } else if name.eq_ignore_ascii_case(b"filename") {
            plain.get_or_insert(value);
        }
    }
    let plain = plain.unwrap_or_default();
    let name = String::from_utf8_lossy(&plain).into_owned();
    ENCODED.iter().fold(name, |name, (encoded, character)| name.replace(encoded, character))
}

/// The parameters of a header, as names and values. Malformed ones are skipped.
struct Parameters<'a>(&'a [u8]);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.0.iter().position(|&byte| byte == b';')? + 1;
        let rest = &self.0[start..];
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let given = rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        let value = match given {
            Some([b'"', quoted @ ..]) => {
                let (value, rest) = unquoted(quoted);
                self.0 = rest;
                value
            }
            Some(token) => {
                let end = token.iter().position(|&byte| byte == b';').unwrap_or(token.len());
                self.0 = &token[end..];
                token[..end].trim_ascii_end().to_vec()
            }
            None => {
                self.0 = rest;
                Vec::new()
            }
        };
        Some((name.trim_ascii(), value))
    }
}

/// The text up to the closing quote, and what follows it. A backslash escapes a quote or a backslash only: in the names
/// that browsers send, it stands for itself.
fn unquoted(mut bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    loop {
        let (byte, rest) = match bytes {
            [b'"', rest @ ..] => return (text, rest),
            [b'\\', byte @ (b'"' | b'\\'), rest @ ..] => (byte, rest),
            [byte, rest @ ..] => (byte, rest),
            [] => return (text, bytes),
        };
        text.push(*byte);
        bytes = rest;
    }
}

/// The text of a value with charset and percent-encoding, such as `UTF-8''%e6%99%b4` (RFC 8187).
fn extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(text).collect();
    match &*charset.to_ascii_lowercase() {
        b"utf-8" => String::from_utf8(bytes).ok(),
        b"iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(parameters: &str, expected: &str) {
        check_bytes(parameters.as_bytes(), expected);
    }

    #[track_caller]
    fn check_bytes(parameters: &[u8], expected: &str) {
        let value = [b"form-data; name=\"file\"; ", parameters].concat();
        let value = HeaderValue::from_bytes(&value).unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]);
        assert_eq!(file_name(&headers), expected, "{}", parameters.escape_ascii());
    }

    #[test]
    fn names_are_read_as_browsers_and_curl_send_them() {
        check("filename=\"song.mp3\"", "song.mp3");
        check("filename=\"7%22 single.mp3\"", "7\" single.mp3");
        check("filename=\"a%0D%0Ab.mp3\"", "a\r\nb.mp3");
        check("filename=\"100%25 晴天.mp3\"", "100%25 晴天.mp3");
        check("filename=\"AC\\DC.mp3\"", "AC\\DC.mp3");
        check("filename=\"a;b=c, d.mp3\"", "a;b=c, d.mp3");
        check("filename=\"7\\\" single.mp3\"", "7\" single.mp3");
        check("filename=\"AC\\\\DC.mp3\"", "AC\\DC.mp3");
        check("filename=\"a\\\\\"; x=\"b\"", "a\\");
    }

    #[test]
    fn unusual_forms_are_read_too() {
        check("filename=song.mp3", "song.mp3");
        check("FileName = song.mp3 ; x=y", "song.mp3");
        check("filename=\"cut", "cut");
        check("filename", "");
        check("x=\"; filename=\\\"inner\\\"\"; filename=\"outer\"", "outer");
        check("filename=\"first\"; filename=\"second\"", "first");
        check_bytes(b"filename=\"caf\xe9.mp3\"", "caf\u{fffd}.mp3");
    }

    #[test]
    fn an_extended_name_precedes_the_plain_one() {
        check("filename*=UTF-8''%e6%99%b4%22.mp3", "晴\".mp3");
        check("filename*=utf-8'zh'%E6%99%B4; filename=\"_\"", "晴");
        check("filename=\"_\"; filename*=ISO-8859-1''caf%E9", "café");
        check("filename*=UTF-8''%ff; filename=\"plain\"", "plain");
        check("filename*=x''y; filename=\"plain\"", "plain");
        check("filename*=y; filename=\"plain\"", "plain");
        check("filename*; filename=\"plain\"", "plain");
    }
}
