//! User data of a file: tags as iTunes writes them, and what NI stem files have.

use super::boxes::{boxed, full_box};
use crate::encode::tags::{FileTags, item_list};

/// User data of a file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Mp4Metadata {
    /// Tags beside the name of this program.
    pub(crate) tags: Option<FileTags>,
    /// The JSON of an NI stem file.
    pub(crate) stems: Option<String>,
}

impl Mp4Metadata {
    /// The `udta` box.
    pub(super) fn user_data(&self) -> Vec<u8> {
        let stems = self.stems.as_ref().map(|json| boxed(b"stem", &[json.as_bytes()]));
        let handler = full_box(b"hdlr", 0, 0, &[&[0; 4], b"mdirappl", &[0; 9]]);
        let items = item_list(self.tags.as_ref());
        let meta = full_box(b"meta", 0, 0, &[&handler, &items]);
        boxed(b"udta", &[&stems.unwrap_or_default(), &meta])
    }
}
