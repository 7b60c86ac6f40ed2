//! File names of downloads: `Content-Disposition` (RFC 6266), derived from untrusted names of uploads.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::audio::is_device_name;

/// Characters kept of the upload's name: file systems allow 255 bytes.
const MAX_CHARS: usize = 60;

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

/// The upload's name without folders, extension, and characters that file systems or readers cannot handle.
pub(super) fn title(file_name: &str) -> String {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let stem = if stem.is_empty() { last } else { stem };
    let safe = |c: char| match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\'' => Some('_'),
        // Invisible characters, some of which reverse the direction of text.
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => None,
        c if c.is_control() => None,
        c => Some(c),
    };
    let title: String = stem.chars().filter_map(safe).take(MAX_CHARS).collect();
    let title = title.trim_matches([' ', '.']);
    match title {
        "" => "song".to_owned(),
        device if is_device_name(device) => format!("_{device}"),
        title => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: &str) {
        assert_eq!(title(file_name), expected);
    }

    #[test]
    fn a_name_has_no_path_and_nothing_that_systems_refuse() {
        check("song.mp3", "song");
        check("my.best.song.flac", "my.best.song");
        check("../../etc/passwd", "passwd");
        check("C:\\Music\\a\"b.wav", "a_b");
        check("a\r\nSet-Cookie: x=1.mp3", "aSet-Cookie_ x=1");
        check("周杰伦 - 晴天.mp3", "周杰伦 - 晴天");
        check("evil\u{202e}3pm.exe", "evil3pm");
        check(".hidden", ".hidden".trim_start_matches('.'));
        check("...", "song");
        check("con.mp3", "_con");
        check("NUL", "_NUL");
        check("aux.live.mp3", "_aux.live");
        check("Icon.mp3", "Icon");
        check("", "song");
        check(&"x".repeat(300), &"x".repeat(MAX_CHARS));
    }

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
