//! File names of downloads: `Content-Disposition` (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All characters except RFC 8187's `attr-char`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of `Content-Disposition` for a file called `name`: an ASCII name for old clients and the full name
/// for all others.
pub(super) fn attachment(name: &str) -> String {
    let plain = |c: char| if c.is_ascii() && !c.is_ascii_control() { c } else { '_' };
    // These would end the quoted string, escape, or be read as a percent-encoding.
    let quoted = |c: char| if matches!(c, '"' | '\\' | '%') { '_' } else { c };
    let ascii: String = name.chars().map(plain).map(quoted).collect();
    let encoded = utf8_percent_encode(name, ENCODED);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_safe() {
        assert_eq!(
            attachment("晴天 \"x\" 100% - vocals.wav"),
            "attachment; filename=\"__ _x_ 100_ - vocals.wav\"; \
             filename*=UTF-8''%E6%99%B4%E5%A4%A9%20%22x%22%20100%25%20-%20vocals.wav"
        );
        assert!(attachment("a\r\nb").is_ascii());
        assert!(!attachment("a\r\nb").contains(['\r', '\n']));
    }
}
