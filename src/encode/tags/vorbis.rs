//! Vorbis comments: metadata blocks of FLAC, and the comments of Opus.

use lofty::config::WriteOptions;
use lofty::ogg::VorbisComments;
use lofty::picture::PictureInformation;
use lofty::tag::{TagExt, TagType};

use super::{FileTags, PROGRAM};

/// Types of metadata blocks (RFC 9639, 8.1).
const COMMENTS: u8 = 4;
const PICTURE: u8 = 6;
const LAST: u8 = 0x80;

/// Longest content of a block.
const MAX_BLOCK_BYTES: usize = (1 << 24) - 1;

/// The metadata blocks of a FLAC file behind the first one. The last is marked as such.
pub(in crate::encode) fn flac_blocks(tags: &FileTags) -> Vec<u8> {
    let mut comments = VorbisComments::new();
    comments.set_vendor(PROGRAM.to_owned());
    for (name, text) in comment_texts(tags) {
        comments.push(name.to_owned(), text);
    }
    let mut content = Vec::new();
    // It fails for 4 GiB and more.
    let written = comments.dump_to(&mut content, WriteOptions::new());
    let content = written.map_or_else(|_| Vec::new(), |()| content);
    // The size of a picture is left out: it would have to be read from the picture, which is not trusted.
    let picture = tags.picture().map(|of| of.as_flac_bytes(PictureInformation::default(), false));
    match picture.filter(|picture| picture.len() <= MAX_BLOCK_BYTES) {
        None => block(COMMENTS | LAST, &content),
        Some(picture) => [block(COMMENTS, &content), block(PICTURE | LAST, &picture)].concat(),
    }
}

fn block(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&[kind], &length[1..], content].concat()
}

/// The comments of an Opus file: names and texts.
pub(in crate::encode) fn opus_comments(
    tags: &FileTags,
) -> impl Iterator<Item = (&'static str, String)> {
    let picture = tags.picture().map(|of| of.as_flac_bytes(PictureInformation::default(), true));
    // Base64 is ASCII.
    let picture = picture.and_then(|encoded| String::from_utf8(encoded).ok());
    comment_texts(tags).chain(picture.map(|text| ("METADATA_BLOCK_PICTURE", text)))
}

fn comment_texts(tags: &FileTags) -> impl Iterator<Item = (&'static str, String)> {
    tags.texts().filter_map(|(key, text)| Some((key.map_key(TagType::VorbisComments)?, text)))
}
