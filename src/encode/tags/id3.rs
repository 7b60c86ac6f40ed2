//! ID3 version 2.4, in front of MP3 and in chunks of WAV and AIFF.

use std::borrow::Cow;

use lofty::TextEncoding;
use lofty::config::WriteOptions;
use lofty::id3::v2::{
    AttachedPictureFrame, CommentFrame, Frame, FrameId, Id3v2Tag, TextInformationFrame,
};
use lofty::tag::items::Lang;
use lofty::tag::{ItemKey, TagExt, TagType};

use super::FileTags;

/// The language of a comment: not known.
const LANGUAGE: Lang = *b"XXX";

/// The tag.
pub(in crate::encode) fn id3(tags: &FileTags) -> Vec<u8> {
    let mut tag = Id3v2Tag::new();
    for (key, text) in tags.texts() {
        let key = if key == ItemKey::Bpm { ItemKey::IntegerBpm } else { key };
        if key == ItemKey::Comment {
            let description = Cow::Borrowed("");
            tag.insert(Frame::Comment(CommentFrame::new(
                TextEncoding::UTF8,
                LANGUAGE,
                description,
                text,
            )));
        } else if let Some(id) = key.map_key(TagType::Id3v2) {
            let id = FrameId::Valid(Cow::Borrowed(id));
            tag.insert(Frame::Text(TextInformationFrame::new(id, TextEncoding::UTF8, text)));
        }
    }
    if let Some(picture) = tags.picture() {
        let frame = AttachedPictureFrame::new(TextEncoding::UTF8, Cow::Owned(picture));
        tag.insert(Frame::Picture(frame));
    }
    let mut bytes = Vec::new();
    // It fails for 256 MiB and more.
    let written = tag.dump_to(&mut bytes, WriteOptions::new().preferred_padding(0));
    written.map_or_else(|_| Vec::new(), |()| bytes)
}
