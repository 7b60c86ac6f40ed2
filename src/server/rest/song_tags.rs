//! The tags of a session's song, for files that are sent.

use std::sync::Arc;

use super::Rest;
use crate::audio::{Cover, SourceTags};
use crate::encode::FileTags;
use crate::server::status::ApiError;
use crate::session::{Session, cover};

/// Tags and cover of a song. The files of one response share the cover.
pub(super) struct SongTags {
    tags: SourceTags,
    file_name: String,
    cover: Option<Cover>,
}

impl SongTags {
    /// Those of a session.
    ///
    /// # Errors
    /// The server has a defect.
    pub(super) async fn read(rest: &Rest, session: &Arc<Session>) -> Result<SongTags, ApiError> {
        let manifest = session.durable_manifest();
        let tags = manifest.source.as_ref().map(|source| source.tags.clone()).unwrap_or_default();
        let of = Arc::clone(session);
        let cover = rest.work(move |_| Ok(cover::read(&of))).await?;
        Ok(SongTags { tags, file_name: manifest.settings.file_name.clone(), cover })
    }

    /// The tags of a file with this part of the song; `None` for the whole.
    pub(super) fn of_part(&self, part: Option<&str>) -> FileTags {
        FileTags::new(&self.tags, &self.file_name, part, self.cover.clone())
    }
}
