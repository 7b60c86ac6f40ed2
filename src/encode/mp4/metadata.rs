//! Tags as iTunes writes them, and other user data of a file.

use super::boxes::{boxed, full_box, numbers};

/// User data of a file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Mp4Metadata {
    /// Tags beside that of this program.
    pub(crate) tags: Vec<Mp4Tag>,
    /// The JSON of an NI stem file.
    pub(crate) stems: Option<String>,
}

/// A tag: its type, such as `©nam`, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Mp4Tag(pub [u8; 4], pub TagValue);

/// The value of a tag.
#[derive(Debug, Clone, PartialEq)]
pub enum TagValue {
    /// A text.
    Text(String),
    /// Such as that of `tmpo`, beats per minute.
    Number(u16),
    /// A number of so many, such as that of `trkn`; 0 is unknown.
    Position(u16, u16),
    /// A picture in JPEG or PNG.
    Picture(Vec<u8>),
    /// A text under a name of its own, of the type `----`.
    Named(String, String),
}

/// The type of the tag with the encoder's name.
const ENCODER: [u8; 4] = *b"\xa9too";

/// Types of values.
const BINARY: u32 = 0;
const UTF_8: u32 = 1;
const JPEG: u32 = 13;
const PNG: u32 = 14;
const INTEGER: u32 = 21;

impl Mp4Metadata {
    /// The `udta` box.
    pub(super) fn user_data(&self) -> Vec<u8> {
        let stems = self.stems.as_ref().map(|json| boxed(b"stem", &[json.as_bytes()]));
        boxed(b"udta", &[&stems.unwrap_or_default(), &self.meta()])
    }

    fn meta(&self) -> Vec<u8> {
        let handler = full_box(b"hdlr", 0, 0, &[&[0; 4], b"mdirappl", &[0; 9]]);
        let name = concat!("Stemwire ", env!("CARGO_PKG_VERSION"));
        let encoder = Mp4Tag(ENCODER, TagValue::Text(name.to_owned()));
        let tags = self.tags.iter().chain([&encoder]);
        let items: Vec<u8> = tags.flat_map(Mp4Tag::item).collect();
        full_box(b"meta", 0, 0, &[&handler, &boxed(b"ilst", &[&items])])
    }
}

impl Mp4Tag {
    fn item(&self) -> Vec<u8> {
        let Mp4Tag(kind, value) = self;
        let data = |format: u32, value: &[u8]| boxed(b"data", &[&numbers([format, 0]), value]);
        let data = match value {
            TagValue::Text(text) => data(UTF_8, text.as_bytes()),
            TagValue::Number(number) => data(INTEGER, &number.to_be_bytes()),
            TagValue::Position(number, of) => {
                // A disc's position ends there, a track's has two more bytes.
                let end: &[u8] = if kind == b"disk" { &[] } else { &[0; 2] };
                data(BINARY, &[&[0; 2], &number.to_be_bytes(), &of.to_be_bytes(), end].concat())
            }
            TagValue::Picture(bytes) => {
                data(if bytes.starts_with(b"\x89PNG") { PNG } else { JPEG }, bytes)
            }
            TagValue::Named(name, text) => [
                full_box(b"mean", 0, 0, &[b"com.apple.iTunes"]),
                full_box(b"name", 0, 0, &[name.as_bytes()]),
                data(UTF_8, text.as_bytes()),
            ]
            .concat(),
        };
        boxed(kind, &[&data])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of the `data` box within the item.
    #[track_caller]
    fn check(kind: &[u8; 4], value: TagValue, expected: &[u8]) {
        let item = Mp4Tag(*kind, value).item();
        assert_eq!(item[..4], (item.len() as u32).to_be_bytes());
        assert_eq!(&item[4..8], kind);
        assert!(item.ends_with(expected), "{item:02x?}");
        let data = item.len() - expected.len() - 8;
        assert_eq!(item[data..data + 4], (expected.len() as u32 + 8).to_be_bytes());
        assert_eq!(&item[data + 4..data + 8], b"data");
    }

    #[test]
    fn tags_are_written_as_itunes_does() {
        check(b"\xa9nam", TagValue::Text("é".into()), b"\0\0\0\x01\0\0\0\0\xc3\xa9");
        check(b"tmpo", TagValue::Number(300), b"\0\0\0\x15\0\0\0\0\x01\x2c");
        check(b"trkn", TagValue::Position(3, 12), b"\0\0\0\0\0\0\0\0\0\0\0\x03\0\x0c\0\0");
        check(b"disk", TagValue::Position(1, 2), b"\0\0\0\0\0\0\0\0\0\0\0\x01\0\x02");
        check(b"covr", TagValue::Picture(b"\xff\xd8".into()), b"\0\0\0\x0d\0\0\0\0\xff\xd8");
        check(b"covr", TagValue::Picture(b"\x89PNG".into()), b"\0\0\0\x0e\0\0\0\0\x89PNG");
        let named = TagValue::Named("initialkey".into(), "Am".into());
        check(b"----", named, b"\0\0\0\x01\0\0\0\0Am");
    }
}
