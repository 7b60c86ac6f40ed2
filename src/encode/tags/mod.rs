//! Tags and cover of files that are written, as each format has them.
//!
//! Their bytes are a pure function of the tags: a file is the same whenever it is written, and so is its length. `lofty`
//! writes the tags; where it would write them in no fixed order, they are given to it one by one.

mod chunks;
mod id3;
mod mp4;
mod vorbis;

use lofty::picture::{MimeType, Picture, PictureType};
use lofty::tag::ItemKey;

pub(super) use chunks::{aiff_chunk, wav_chunks};
pub(super) use id3::id3;
pub(super) use mp4::item_list;
pub(super) use vorbis::{flac_blocks, opus_comments};

use crate::audio::tags::bounded;
use crate::audio::{Cover, SourceTags};

/// The program, as files name what has written them.
const PROGRAM: &str = concat!("Stemwire ", env!("CARGO_PKG_VERSION"));

/// The tags of a file: those of the song, with a title of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTags {
    tags: SourceTags,
    cover: Option<Cover>,
}

impl FileTags {
    /// The tags of a part of a song, such as `vocals`, or of the whole. The title is that of the song, or the name of its file
    /// where it has none, with the name of the part in parentheses.
    pub fn new(
        song: &SourceTags,
        file_name: &str,
        part: Option<&str>,
        cover: Option<Cover>,
    ) -> FileTags {
        let title = song.title.clone().or_else(|| bounded(without_extension(file_name)));
        let title = match (title, part) {
            (Some(title), Some(part)) => Some(format!("{title} ({part})")),
            (title, part) => title.or(part.map(str::to_owned)),
        };
        FileTags { tags: SourceTags { title, ..song.clone() }, cover }
    }

    /// A text that is equal only for equal tags, and for covers of one length.
    pub fn fingerprint(&self) -> String {
        format!("{:?} {}", self.tags, self.cover_bytes())
    }

    /// Bytes of the cover, which is in memory.
    pub fn cover_bytes(&self) -> usize {
        self.cover.as_ref().map_or(0, |cover| cover.bytes().len())
    }

    /// The texts, in the order in which they are written.
    fn texts(&self) -> impl Iterator<Item = (ItemKey, String)> {
        let tags = &self.tags;
        let texts = [
            (ItemKey::TrackTitle, tags.title.clone()),
            (ItemKey::TrackArtist, tags.artist.clone()),
            (ItemKey::AlbumTitle, tags.album.clone()),
            (ItemKey::AlbumArtist, tags.album_artist.clone()),
            (ItemKey::TrackNumber, tags.track_number.map(|number| number.to_string())),
            (ItemKey::RecordingDate, tags.date.clone()),
            (ItemKey::Genre, tags.genre.clone()),
            (ItemKey::Bpm, tags.bpm.map(|bpm| bpm.to_string())),
            (ItemKey::InitialKey, tags.key.clone()),
            (ItemKey::Comment, tags.comment.clone()),
        ];
        texts.into_iter().filter_map(|(key, text)| Some((key, text?)))
    }

    fn picture(&self) -> Option<Picture> {
        let cover = self.cover.as_ref()?;
        let kind = if cover.is_png() { MimeType::Png } else { MimeType::Jpeg };
        let picture = Picture::unchecked(cover.bytes().to_vec());
        Some(picture.pic_type(PictureType::CoverFront).mime_type(kind).build())
    }
}

/// The name of a file without folders and extension.
fn without_extension(file_name: &str) -> &str {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    match last.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(title: Option<&str>, file_name: &str, part: Option<&str>, expected: Option<&str>) {
        let song = SourceTags { title: title.map(str::to_owned), ..SourceTags::default() };
        let tags = FileTags::new(&song, file_name, part, None);
        assert_eq!(tags.tags.title.as_deref(), expected);
    }

    #[test]
    fn the_title_names_song_and_part() {
        check(Some("Song"), "a.mp3", Some("vocals"), Some("Song (vocals)"));
        check(Some("Song"), "a.mp3", None, Some("Song"));
        check(
            None,
            "/music/Ann - What?.live.mp3",
            Some("no drums"),
            Some("Ann - What?.live (no drums)"),
        );
        check(None, ".mp3", Some("bass"), Some(".mp3 (bass)"));
        check(None, "", Some("bass"), Some("bass"));
        check(None, "\u{202e}", None, None);
    }

    #[test]
    fn equal_tags_are_equal_bytes() {
        let text = |text: &str| Some(text.to_owned());
        let song = SourceTags {
            artist: text("Ann"),
            album: text("Sea"),
            album_artist: text("Various"),
            track_number: Some(3),
            date: text("1987"),
            genre: text("Jazz"),
            bpm: Some(127.5),
            key: text("Am"),
            comment: text("live"),
            ..SourceTags::default()
        };
        let cover = Cover::new(b"\xff\xd8\xff\xe0").ok();
        let bytes = || {
            let tags = FileTags::new(&song, "a.mp3", Some("vocals"), cover.clone());
            let opus = opus_comments(&tags)
                .map(|(name, text)| format!("{name}={text}"))
                .collect::<String>();
            [
                flac_blocks(&tags),
                opus.into_bytes(),
                wav_chunks(&tags),
                aiff_chunk(&tags),
                item_list(Some(&tags)),
            ]
        };
        let first = bytes();
        // A set in no fixed order of so many tags would soon differ.
        for _ in 0..4 {
            assert_eq!(bytes(), first);
        }
        let of = |part| FileTags::new(&song, "a.mp3", part, None).fingerprint();
        assert_ne!(of(Some("vocals")), of(Some("drums")));
    }
}
