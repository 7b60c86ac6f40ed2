//! Title and tags (RFC 9559, 5.1.2.11 and 5.1.8) of the file as a whole; those of single tracks and chapters are left out.

use std::io::{self, Read, Seek};

use super::ebml::{Element, unsigned};
use super::{INFO, top_level};

const TAGS: u32 = 0x1254_c367;
/// Longest element that is read. Pictures are attachments, not tags.
const MAX_BYTES: u64 = 1 << 20;
/// What a tag without a level stands for: an album, a concert, a film.
const ALBUM_LEVEL: u64 = 50;
/// A song.
const SONG_LEVEL: u64 = 30;

/// A tag of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatroskaText {
    /// Such as `ARTIST`, in upper case.
    pub(crate) name: String,
    pub(crate) value: String,
    /// It is that of the song, not of the album, concert or film that contains it.
    pub(crate) is_of_song: bool,
}

/// The tags of a file, those of the song in front. Its title, which has no level, is one of the album.
pub(crate) fn read(from: &mut (impl Read + Seek)) -> Vec<MatroskaText> {
    let mut texts = Vec::new();
    // The reader limits how much is read; what is found before counts.
    let _ = collect(from, &mut texts);
    texts.sort_by_key(|text| !text.is_of_song);
    texts
}

/// Reads elements up to the tags.
fn collect(from: &mut (impl Read + Seek), texts: &mut Vec<MatroskaText>) -> io::Result<()> {
    top_level::read(from, &[INFO, TAGS], MAX_BYTES, |id, content| {
        match id {
            TAGS => tags(&content, texts),
            _ => title(&content, texts),
        }
        id != TAGS
    })
}

fn title(info: &[u8], texts: &mut Vec<MatroskaText>) {
    if let Some(title) = Element::child(info, 0x7ba9).and_then(text) {
        texts.push(MatroskaText { name: "TITLE".to_owned(), value: title, is_of_song: false });
    }
}

fn tags(content: &[u8], texts: &mut Vec<MatroskaText>) {
    let of_kind = |content, kind| Element::children(content).filter(move |child| child.0 == kind);
    for (_, tag) in of_kind(content, 0x7373) {
        let targets = Element::child(tag, 0x63c0).unwrap_or_default();
        // Tracks, editions, chapters and attachments.
        let parts = [0x63c5, 0x63c9, 0x63c4, 0x63c6];
        if Element::children(targets).any(|(id, uid)| parts.contains(&id) && unsigned(uid) > 0) {
            continue;
        }
        let level = Element::child(targets, 0x68ca).map_or(ALBUM_LEVEL, unsigned);
        for (_, simple) in of_kind(tag, 0x67c8) {
            let (name, value) = (Element::child(simple, 0x45a3), Element::child(simple, 0x4487));
            if let (Some(name), Some(value)) = (name.and_then(text), value.and_then(text)) {
                let is_of_song = level == SONG_LEVEL;
                texts.push(MatroskaText { name: name.to_ascii_uppercase(), value, is_of_song });
            }
        }
    }
}

/// A text, which zeros may end.
fn text(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::EBML;
    use super::*;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], content].concat()
    }

    fn simple(name: &str, value: &str) -> Vec<u8> {
        let content =
            [element(&[0x45, 0xa3], name.as_bytes()), element(&[0x44, 0x87], value.as_bytes())];
        element(&[0x67, 0xc8], &content.concat())
    }

    fn tag(targets: &[u8], simple: &[u8]) -> Vec<u8> {
        element(&[0x73, 0x73], &[element(&[0x63, 0xc0], targets), simple.to_vec()].concat())
    }

    #[test]
    fn tags_of_songs_come_first_and_those_of_tracks_not_at_all() {
        let tags = [
            tag(&[], &simple("ALBUM", "Sea")),
            tag(&[0x63, 0xc5, 0x81, 7], &simple("TITLE", "a track")),
            tag(&[0x68, 0xca, 0x81, 30], &simple("title", "Song\0")),
        ];
        let info = element(&[0x15, 0x49, 0xa9, 0x66], &element(&[0x7b, 0xa9], b"Film"));
        // A cluster in between is passed over.
        let cluster = element(&[0x1f, 0x43, 0xb6, 0x75], &[0; 5000]);
        let tags = element(&[0x12, 0x54, 0xc3, 0x67], &tags.concat());
        let segment =
            [&[0x18, 0x53, 0x80, 0x67, 0xff], &[info, cluster, tags].concat()[..]].concat();
        let file = [element(&EBML.to_be_bytes(), b"header"), segment].concat();
        let found = read(&mut Cursor::new(&file));
        let found: Vec<_> =
            found.iter().map(|text| (&*text.name, &*text.value, text.is_of_song)).collect();
        assert_eq!(
            found,
            [("TITLE", "Song", true), ("TITLE", "Film", false), ("ALBUM", "Sea", false)]
        );
        assert!(read(&mut Cursor::new(&file[..20])).is_empty());
    }
}
