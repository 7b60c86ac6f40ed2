//! Titles of songs, as names of files and folders that every system accepts.

use super::windows_names::is_device_name;

/// Bytes kept of a file name. File systems allow 255, and a stem's name, a number and an extension are added.
pub const MAX_BYTES: usize = 200;

/// The title of a song, from the untrusted name of its file: without folders, extension, and characters that file
/// systems or readers cannot handle. Never empty, never a path, never `.` or `..`.
pub fn title(file_name: &str) -> String {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    folder_name(if stem.is_empty() { last } else { stem })
}

/// The same for the name of a folder, which has no extension.
pub fn folder_name(name: &str) -> String {
    let mut title = String::new();
    for c in name.chars().filter(|c| !matches!(c, '/' | '\\')).filter_map(safe) {
        if title.len() + c.len_utf8() > MAX_BYTES {
            break;
        }
        title.push(c);
    }
    // Windows drops spaces and dots at the end; a dot in front hides a file.
    let title = title.trim_matches(|c: char| c == '.' || c.is_whitespace());
    match title {
        "" => "song".to_owned(),
        device if is_device_name(device) => format!("_{device}"),
        title => title.to_owned(),
    }
}

/// The character to write for `c`, if any.
fn safe(c: char) -> Option<char> {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => Some('_'),
        c if is_invisible(c) => None,
        c => Some(c),
    }
}

/// The name of a file as text for a terminal, without characters that the terminal would act on.
pub fn printable(name: &str) -> String {
    let shown =
        |c: char| if is_invisible(c) { c.escape_default().collect() } else { c.to_string() };
    name.chars().map(shown).collect()
}

/// Whether a character changes how a terminal or reader shows the text around it, instead of being shown itself.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}'
            // Some of them reverse the direction of text.
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: &str) {
        assert_eq!(title(file_name), expected);
    }

    #[test]
    fn a_title_has_no_path_and_nothing_that_systems_refuse() {
        check("song.mp3", "song");
        check("my.best.song.flac", "my.best.song");
        check("../../etc/passwd", "passwd");
        check("C:\\Music\\a\"b.wav", "a_b");
        check("a\r\nSet-Cookie: x=1.mp3", "aSet-Cookie_ x=1");
        check("Don't stop.mp3", "Don't stop");
        check("周杰伦 - 晴天.mp3", "周杰伦 - 晴天");
        check("evil\u{202e}3pm.exe", "evil3pm");
        check("\u{1b}[31mred\u{7}.wav", "[31mred");
        check(".hidden", "hidden");
        check("...", "song");
        check("...wav", "song");
        check("..wav", "song");
        check(" . .wav", "song");
        check("trailing. .wav", "trailing");
        check("con.mp3", "_con");
        check("NUL", "_NUL");
        check("aux.live.mp3", "_aux.live");
        check("Icon.mp3", "Icon");
        check("", "song");
        check(&"x".repeat(300), &"x".repeat(MAX_BYTES));
        check(&"é".repeat(300), &"é".repeat(MAX_BYTES / 2));
    }

    #[test]
    fn the_name_of_a_folder_is_made_safe_and_kept_whole() {
        for (name, expected) in
            [("Vol. 1", "Vol. 1"), ("..", "song"), ("a/b\\c.", "abc"), ("con", "_con")]
        {
            assert_eq!(folder_name(name), expected);
        }
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        assert_eq!(printable("\u{1b}[2J晴天\r\u{202e}.wav"), "\\u{1b}[2J晴天\\r\\u{202e}.wav");
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_component_of_a_path(name in "(\\PC|[./\\\\ \u{0}-\u{20}]){0,300}") {
            let title = title(&name);
            let path = std::path::Path::new(&title);
            let components: Vec<_> = path.components().collect();
            prop_assert!(matches!(components[..], [std::path::Component::Normal(_)]), "{title:?}");
            prop_assert!(title.len() <= MAX_BYTES + 1 && !title.chars().any(is_invisible));
            prop_assert!(!title.contains(['/', '\\']) && !title.ends_with(['.', ' ']));
            prop_assert!(!is_device_name(&title));
        }
    }
}
