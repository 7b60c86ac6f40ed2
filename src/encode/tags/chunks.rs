//! Chunks behind the samples of WAV and AIFF. Frames keep the places that they have without.

use lofty::config::WriteOptions;
use lofty::tag::{Tag, TagExt, TagType};

use super::FileTags;
use super::id3::id3;

/// The chunks of a WAV file, of even length: `LIST` with the texts that most players and workstations read, and `id3 ` with
/// all.
pub(in crate::encode) fn wav_chunks(tags: &FileTags) -> Vec<u8> {
    let mut info = Tag::new(TagType::RiffInfo);
    for (key, text) in tags.texts() {
        info.insert_text(key, text);
    }
    let mut bytes = Vec::new();
    // It fails for 4 GiB and more.
    if info.dump_to(&mut bytes, WriteOptions::new()).is_err() {
        bytes.clear();
    }
    let id3 = id3(tags);
    bytes.extend(chunk(*b"id3 ", u32::to_le_bytes, &id3));
    bytes
}

/// The chunk of an AIFF file, of even length.
pub(in crate::encode) fn aiff_chunk(tags: &FileTags) -> Vec<u8> {
    chunk(*b"ID3 ", u32::to_be_bytes, &id3(tags))
}

fn chunk(name: [u8; 4], size: fn(u32) -> [u8; 4], content: &[u8]) -> Vec<u8> {
    // Covers are limited to a few megabytes.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let padding: &[u8] = if content.len().is_multiple_of(2) { &[] } else { &[0] };
    [&name, &size(length), content, padding].concat()
}
