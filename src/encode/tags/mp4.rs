//! The item list of MP4, as iTunes writes it.

use lofty::config::WriteOptions;
use lofty::mp4::{Atom, AtomData, AtomIdent, DataType, Ilst};
use lofty::tag::{ItemKey, Tag, TagExt, TagType};

use super::{FileTags, PROGRAM};

/// The `ilst` box with these tags, and the name of this program.
pub(in crate::encode) fn item_list(tags: Option<&FileTags>) -> Vec<u8> {
    let mut tag = Tag::new(TagType::Mp4Ilst);
    for (key, text) in tags.into_iter().flat_map(FileTags::texts) {
        tag.insert_text(key, text);
    }
    if let Some(picture) = tags.and_then(FileTags::picture) {
        tag.push_picture(picture);
    }
    tag.insert_text(ItemKey::EncoderSoftware, PROGRAM.to_owned());
    let mut items = Ilst::from(tag);
    if let Some(bpm) = tags.and_then(|tags| tags.tags.bpm) {
        // Beside the exact number under a name of its own: many programs read whole numbers only.
        let data = (bpm.round() as u16).to_be_bytes().to_vec();
        let data = AtomData::Unknown { code: DataType::BeSignedInteger, data };
        items.insert(Atom::new(AtomIdent::Fourcc(*b"tmpo"), data));
    }
    let mut bytes = Vec::new();
    // It fails for 4 GiB and more.
    let written = items.dump_to(&mut bytes, WriteOptions::new());
    written.map_or_else(|_| Vec::new(), |()| bytes)
}
