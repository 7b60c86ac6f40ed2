//! Pictures that are attached to the file (RFC 9559, 5.1.6).

use std::io::{Read, Seek};

use super::ebml::Element;
use super::top_level;
use crate::audio::cover::MAX_COVER_BYTES;

const ATTACHMENTS: u32 = 0x1941_a469;
const FILE: u32 = 0x61a7;
const NAME: u32 = 0x466e;
const MEDIA_TYPE: u32 = 0x4660;
const DATA: u32 = 0x465c;

/// Longest list of attachments that is read: a cover of the largest size in its four usual forms.
const MAX_BYTES: u64 = 4 * MAX_COVER_BYTES as u64;

/// The cover of a file: the picture whose name begins with `cover`, else the first picture.
pub(crate) fn picture(from: &mut (impl Read + Seek)) -> Option<Vec<u8>> {
    let mut found = None;
    // The reader limits how much is read.
    let _ = top_level::read(from, &[ATTACHMENTS], MAX_BYTES, |_, content| {
        found = choose(&content).map(<[u8]>::to_vec);
        false
    });
    found
}

fn choose(attachments: &[u8]) -> Option<&[u8]> {
    let files = Element::children(attachments).filter(|&(id, _)| id == FILE);
    let pictures: Vec<&[u8]> = files
        .map(|(_, file)| file)
        .filter(|file| {
            Element::child(file, MEDIA_TYPE).is_some_and(|kind| kind.starts_with(b"image/"))
        })
        .collect();
    let is_cover =
        |file: &&&[u8]| Element::child(file, NAME).is_some_and(|name| name.starts_with(b"cover"));
    let file = pictures.iter().find(is_cover).or(pictures.first())?;
    Element::child(file, DATA)
}
