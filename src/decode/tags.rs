//! The tags of an upload: title, artist, and the like.
//!
//! Reading them is no part of decoding: an upload whose tags cannot be read has none.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use lofty::config::ParseOptions;
use lofty::file::TaggedFileExt;
use lofty::probe::Probe;
use lofty::tag::{ItemKey, Tag};
use serde::{Deserialize, Serialize};

use super::containers::matroska;
use super::containers::matroska::texts::MatroskaText;
use super::panics::catch_panic;
use crate::audio::titles::is_invisible;

/// Characters kept of a text.
pub const MAX_CHARACTERS: usize = 256;

/// Bytes that are read in all. This bounds time and memory; pictures beside the texts are larger than these.
const MAX_BYTES: u64 = 32 << 20;

/// Bytes that are read at once, at least.
const BUFFER_BYTES: usize = 4096;

/// Tags of an upload; `None` where there is none.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceTags {
    /// Title of the song.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Artist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Number of the track on its album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_number: Option<u32>,
    /// Date of the recording as tagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Genre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<String>,
}

impl SourceTags {
    /// Reads the tags in the first `length` bytes of an upload; none where they cannot be read.
    pub fn read(upload: impl Read + Seek, length: u64) -> SourceTags {
        let part = UploadPart { inner: upload, position: 0, length, left: MAX_BYTES };
        let part = BufReader::with_capacity(BUFFER_BYTES, part);
        catch_panic(|| parse(part).unwrap_or_default()).unwrap_or_default()
    }

    /// The same tags within the limits: texts of at most [`MAX_CHARACTERS`], without characters that change how the text
    /// around them is shown.
    pub fn bounded(self) -> SourceTags {
        let text = |text: Option<String>| text.and_then(|text| bounded(&text));
        SourceTags {
            title: text(self.title),
            artist: text(self.artist),
            album: text(self.album),
            track_number: self.track_number.filter(|&number| number > 0),
            date: text(self.date),
            genre: text(self.genre),
        }
    }
}

/// A text within the limits; `None` if nothing is left of it.
fn bounded(text: &str) -> Option<String> {
    let shown = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c => (!is_invisible(c)).then_some(c),
    };
    let text: String = text.trim().chars().filter_map(shown).take(MAX_CHARACTERS).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn parse(mut upload: impl Read + Seek) -> Option<SourceTags> {
    let mut magic = [0; matroska::MAGIC.len()];
    upload.read_exact(&mut magic).ok()?;
    upload.rewind().ok()?;
    if magic == matroska::MAGIC {
        return Some(of_matroska(&matroska::texts::read(&mut upload)));
    }
    let options = ParseOptions::new().read_properties(false).read_cover_art(false);
    let file = Probe::new(upload).options(options).guess_file_type().ok()?.read().ok()?;
    // The kind that the format prefers comes first: an MP3's ID3v2 before its ID3v1.
    let others = file.tags().iter();
    let tags: Vec<&Tag> = file.primary_tag().into_iter().chain(others).collect();
    let text = |keys: &[ItemKey]| {
        let found =
            keys.iter().flat_map(|&key| tags.iter().filter_map(move |tag| tag.get_string(key)));
        found.map(str::to_owned).find(|text| bounded(text).is_some())
    };
    let number = text(&[ItemKey::TrackNumber]);
    let tags = SourceTags {
        title: text(&[ItemKey::TrackTitle]),
        artist: text(&[ItemKey::TrackArtist, ItemKey::AlbumArtist]),
        album: text(&[ItemKey::AlbumTitle]),
        // Often `3/12`.
        track_number: number.and_then(|text| text.split('/').next()?.trim().parse().ok()),
        date: text(&[ItemKey::RecordingDate, ItemKey::Year, ItemKey::ReleaseDate]),
        genre: text(&[ItemKey::Genre]),
    };
    Some(tags.bounded())
}

/// The tags of a Matroska file, whose reader is this project's: `lofty` has none.
fn of_matroska(texts: &[MatroskaText]) -> SourceTags {
    let find = |names: &[&str], of_song: Option<bool>| {
        let mut found = names.iter().flat_map(|name| {
            let is_meant = |text: &&MatroskaText| {
                text.name == *name && of_song.is_none_or(|of_song| text.is_of_song == of_song)
            };
            texts.iter().filter(is_meant)
        });
        found.find_map(|text| bounded(&text.value))
    };
    let has_song_title = find(&["TITLE"], Some(true)).is_some();
    // The title of what contains the song is that of its album.
    let container = find(&["TITLE"], Some(false)).filter(|_| has_song_title);
    let number = find(&["PART_NUMBER", "TRACK"], None);
    let tags = SourceTags {
        title: find(&["TITLE"], None),
        artist: find(&["ARTIST", "LEAD_PERFORMER", "PERFORMER"], None),
        album: find(&["ALBUM"], None).or(container),
        track_number: number.and_then(|text| text.split('/').next()?.trim().parse().ok()),
        date: find(&["DATE_RECORDED", "DATE_RELEASED", "DATE_RELEASE", "DATE"], None),
        genre: find(&["GENRE"], None),
    };
    tags.bounded()
}

/// The first bytes of a file as a file of its own, of which a limited number is read.
struct UploadPart<R> {
    inner: R,
    position: u64,
    length: u64,
    left: u64,
}

impl<R: Read + Seek> Read for UploadPart<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("more is read than tags have"));
        }
        let most = self.length.saturating_sub(self.position).min(self.left).min(into.len() as u64);
        self.inner.seek(SeekFrom::Start(self.position))?;
        let count = self.inner.read(&mut into[..most as usize])?;
        self.position += count as u64;
        // A read costs time also where it yields little.
        self.left = self.left.saturating_sub(count.max(BUFFER_BYTES) as u64);
        Ok(count)
    }
}

impl<R> Seek for UploadPart<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        // Files refuse positions beyond this, too.
        let position = position.filter(|&position| position <= i64::MAX as u64);
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn texts_are_bounded_and_plain() {
        assert_eq!(bounded("\u{1b}[31mred\r\n\u{202e}text\0 "), Some("[31mred  text".to_owned()));
        assert_eq!(bounded(" \0\u{200b}\n"), None);
        assert_eq!(bounded(&"é".repeat(1000)), Some("é".repeat(MAX_CHARACTERS)));
    }

    #[test]
    fn a_part_ends_where_it_should_and_is_read_within_the_limit() {
        let mut part =
            UploadPart { inner: Cursor::new([7_u8; 100]), position: 0, length: 10, left: 8192 };
        assert_eq!(part.seek(SeekFrom::End(-4)).unwrap(), 6);
        let mut bytes = Vec::new();
        // The end takes a read of its own.
        part.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [7; 4]);
        assert!(part.read(&mut [0]).is_err());
        assert!(part.seek(SeekFrom::Current(-11)).is_err());
    }

    #[test]
    fn bytes_without_tags_have_none() {
        for bytes in [&b""[..], b"RIFF", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", &[0xff; 4096]] {
            assert_eq!(
                SourceTags::read(Cursor::new(bytes), bytes.len() as u64),
                SourceTags::default()
            );
        }
    }
}
