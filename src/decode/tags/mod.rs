//! The tags of an upload: title, artist, and the like, and its cover picture.
//!
//! Reading them is no part of decoding: an upload whose tags cannot be read has none.

mod cover;
mod listed;
mod upload_part;

use std::io::{Read, Seek};

use lofty::config::ParseOptions;
use lofty::file::{AudioFile, FileType, TaggedFile, TaggedFileExt};
use lofty::mp4::{AtomData, AtomIdent, Mp4File};
use lofty::probe::Probe;
use lofty::tag::{ItemKey, Tag};

use super::containers::matroska;
use super::containers::matroska::texts::MatroskaText;
use super::panics::catch_panic;
use crate::audio::tags::bounded;
use crate::audio::{Cover, CoverError, SourceTags};
use upload_part::UploadPart;

impl SourceTags {
    /// Reads the tags in the first `length` bytes of an upload; none where they cannot be read.
    pub fn read(upload: impl Read + Seek, length: u64) -> SourceTags {
        let part = UploadPart::buffered(upload, length);
        catch_panic(|| texts(part).unwrap_or_default()).unwrap_or_default()
    }
}

impl Cover {
    /// Reads the cover picture in the first `length` bytes of an upload; `None` if it has none.
    ///
    /// # Errors
    /// It has one that is not kept.
    pub fn read(mut upload: impl Read + Seek, length: u64) -> Result<Option<Cover>, CoverError> {
        let part = UploadPart::buffered(&mut upload, length);
        if let Some(Some(found)) = catch_panic(|| cover::find(part)) {
            return found;
        }
        // A broken picture makes all tags unreadable where it is read.
        let part = UploadPart::buffered(&mut upload, length);
        match catch_panic(|| cover::is_tagged(part)) {
            Some(true) => Err(CoverError::Unreadable),
            _ => Ok(None),
        }
    }
}

/// The tags of a file, with pictures if they are wanted, and the beats per minute that only MP4 has as a number.
fn tagged(upload: impl Read + Seek, with_pictures: bool) -> Option<(TaggedFile, Option<f64>)> {
    let options = ParseOptions::new().read_properties(false).read_cover_art(with_pictures);
    let probe = Probe::new(upload).options(options).guess_file_type().ok()?;
    if probe.file_type() != Some(FileType::Mp4) {
        return Some((probe.read().ok()?, None));
    }
    let file = Mp4File::read_from(&mut probe.into_inner(), options).ok()?;
    let tempo = file.ilst().and_then(|list| list.get(&AtomIdent::Fourcc(*b"tmpo")));
    let tempo = tempo.and_then(|atom| match atom.data().next()? {
        AtomData::SignedInteger(number) => Some(f64::from(*number)),
        AtomData::UnsignedInteger(number) => Some(f64::from(*number)),
        _ => None,
    });
    Some((file.into(), tempo))
}

fn is_matroska(upload: &mut (impl Read + Seek)) -> Option<bool> {
    let mut magic = [0; matroska::MAGIC.len()];
    upload.read_exact(&mut magic).ok()?;
    upload.rewind().ok()?;
    Some(magic == matroska::MAGIC)
}

fn texts(mut upload: impl Read + Seek) -> Option<SourceTags> {
    if is_matroska(&mut upload)? {
        return Some(of_matroska(&matroska::texts::read(&mut upload)));
    }
    let (file, tempo) = tagged(upload, false)?;
    // The kind that the format prefers comes first: an MP3's ID3v2 before its ID3v1.
    let others = file.tags().iter();
    let tags: Vec<&Tag> = file.primary_tag().into_iter().chain(others).collect();
    let text = |keys: &[ItemKey]| {
        // Those with a description, such as `iTunNORM`, are data of a program.
        let found = keys.iter().flat_map(|&key| {
            let items = tags.iter().flat_map(|tag| tag.items());
            items.filter(move |item| item.key() == key && item.description().is_empty())
        });
        let mut texts = found.filter_map(|item| item.value().text());
        texts.find(|text| bounded(text).is_some()).map(str::to_owned)
    };
    let tags = SourceTags {
        title: text(&[ItemKey::TrackTitle]),
        artist: text(&[ItemKey::TrackArtist, ItemKey::AlbumArtist]),
        album: text(&[ItemKey::AlbumTitle]),
        album_artist: text(&[ItemKey::AlbumArtist]),
        track_number: text(&[ItemKey::TrackNumber]).and_then(number),
        date: text(&[ItemKey::RecordingDate, ItemKey::Year, ItemKey::ReleaseDate]),
        genre: text(&[ItemKey::Genre]),
        bpm: text(&[ItemKey::Bpm, ItemKey::IntegerBpm]).and_then(decimal).or(tempo),
        key: text(&[ItemKey::InitialKey]),
        // FFmpeg writes comments of FLAC and Ogg as descriptions.
        comment: text(&[ItemKey::Comment, ItemKey::Description]),
    };
    Some(tags.bounded())
}

/// The number of a track, often `3/12`.
fn number(text: String) -> Option<u32> {
    text.split('/').next()?.trim().parse().ok()
}

/// A number with a decimal point, or a comma as programs of some countries write it.
fn decimal(text: String) -> Option<f64> {
    text.trim().replace(',', ".").parse().ok()
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
    let tags = SourceTags {
        title: find(&["TITLE"], None),
        artist: find(&["ARTIST", "LEAD_PERFORMER", "PERFORMER"], None),
        album: find(&["ALBUM"], None).or(container),
        album_artist: find(&["ALBUM_ARTIST", "ALBUMARTIST"], None),
        track_number: find(&["PART_NUMBER", "TRACK"], None).and_then(number),
        date: find(&["DATE_RECORDED", "DATE_RELEASED", "DATE_RELEASE", "DATE"], None),
        genre: find(&["GENRE"], None),
        bpm: find(&["BPM", "TBPM"], None).and_then(decimal),
        key: find(&["INITIAL_KEY", "INITIALKEY", "TKEY"], None),
        comment: find(&["COMMENT"], None),
    };
    tags.bounded()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn bytes_without_tags_have_none() {
        for bytes in [&b""[..], b"RIFF", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", &[0xff; 4096]] {
            let length = bytes.len() as u64;
            assert_eq!(SourceTags::read(Cursor::new(bytes), length), SourceTags::default());
            assert_eq!(Cover::read(Cursor::new(bytes), length), Ok(None));
        }
    }
}
