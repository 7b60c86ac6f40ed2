//! Stores what a session has on the local disk: pieces of the upload and of the stems, the overlap state, and then the manifest
//! that refers to them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::keys::{Keys, StoredPiece};
use super::manifest_record::{FORMAT, OwnerSpan, Record, RecordHeader};
use super::restore::is_complete;
use crate::audio::Encoding;
use crate::audio::wav::{HEADER_BYTES, frame_bytes};
use crate::session::checksums::extend;
use crate::session::manifest::Manifest;
use crate::session::replica::{Replica, ReplicaError};
use crate::session::{Layout, SessionId};

/// Bytes of the largest piece.
pub(super) const PIECE_BYTES: u64 = 4 << 20;

/// How much of a session is in the store.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Stored {
    /// The number of its last manifest there; 0 if there is none.
    pub(super) number: u64,
    /// That manifest.
    pub(super) manifest: Option<Arc<Manifest>>,
    /// Whose pieces are read.
    pub(super) spans: Vec<OwnerSpan>,
    /// Whether a span is new since that manifest.
    pub(super) has_new_span: bool,
    /// Bytes of the upload.
    pub(super) bytes: u64,
    /// As many of them have been stored before the owner was last checked.
    pub(super) checked: u64,
    /// Frames of the stems.
    pub(super) frames: u64,
    /// The name of the object with the overlap state.
    pub(super) overlap_state: Option<String>,
    /// CRC32C of the cover.
    pub(super) cover: Option<u32>,
    /// CRC32C of the file with the checksums of the stems, of a session that has ended.
    pub(super) checksums: Option<u32>,
}

/// A session on the local disk.
#[derive(Debug, Clone)]
pub(super) struct LocalSession {
    pub(super) manifest: Arc<Manifest>,
    pub(super) uploaded: u64,
}

/// Why nothing or not everything was stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The store has failed; the same can be stored later.
    #[error(transparent)]
    Store(#[from] ReplicaError),
    /// Another server has stored a manifest of the session since.
    #[error("another server continues the session")]
    Fenced,
    /// Another server has removed the session since.
    #[error("another server has removed the session")]
    Removed,
    /// Another session has the request.
    #[error("its request_id belongs to session {0}")]
    Requested(SessionId),
    /// A file cannot be read: the session has changed since, or its disk has failed.
    #[error("a file of the session cannot be read: {0}")]
    Local(#[from] io::Error),
}

/// Stores a session for one owner.
pub(super) struct Writer<'a> {
    pub(super) replica: &'a dyn Replica,
    pub(super) keys: Keys,
    pub(super) layout: &'a Layout,
    /// The name of this server, which no other has.
    pub(super) owner: &'a str,
}

impl Writer<'_> {
    /// Stores what `local` has more than `stored`, which is kept up to date.
    ///
    /// # Errors
    /// [`WriteError`]; what has been stored until then is in `stored`.
    pub(super) fn store(
        &self,
        local: &LocalSession,
        stored: &mut Stored,
    ) -> Result<(), WriteError> {
        // The bytes that the manifest has counted are in the file.
        let counted = local.manifest.upload.stored.map_or(0, |prefix| prefix.bytes);
        let uploaded = local.uploaded.max(counted);
        let is_stored = stored.manifest.as_ref() == Some(&local.manifest) && !stored.has_new_span;
        if is_stored && uploaded <= stored.checked {
            return Ok(());
        }
        let owner = self.open_span(&local.manifest, stored);
        self.store_upload(uploaded, &owner, stored)?;
        if stored.has_new_span || stored.manifest.as_ref() != Some(&local.manifest) {
            self.store_stems(&local.manifest, &owner, stored)?;
            let overlap_state = self.store_overlap_state(&local.manifest, &owner, stored)?;
            self.store_cover(&local.manifest, stored)?;
            self.store_checksums(&local.manifest, stored)?;
            self.commit(&local.manifest, overlap_state, stored)?;
        } else {
            self.check_owner(stored)?;
        }
        stored.checked = stored.bytes;
        Ok(())
    }

    /// Begins a span of this server, unless the last one is. Returns its owner. Frames that are computed again may replace
    /// stored ones, so their pieces have another owner.
    fn open_span(&self, manifest: &Manifest, stored: &mut Stored) -> String {
        let frames = manifest.commit.stems.0;
        let last = stored.spans.last().filter(|span| span.owner.starts_with(self.owner));
        if let Some(last) = last.filter(|_| frames >= stored.frames) {
            return last.owner.clone();
        }
        let owner = format!("{}-{}", self.owner, stored.spans.len());
        stored.frames = stored.frames.min(frames);
        let (bytes, frames) = (stored.bytes, stored.frames);
        stored.spans.push(OwnerSpan { owner: owner.clone(), bytes, frames });
        stored.has_new_span = true;
        owner
    }

    fn store_upload(
        &self,
        uploaded: u64,
        owner: &str,
        stored: &mut Stored,
    ) -> Result<(), WriteError> {
        while stored.bytes < uploaded {
            let (start, end) = (stored.bytes, uploaded.min(stored.bytes + PIECE_BYTES));
            let mut file = File::open(self.layout.upload())?;
            let bytes = read_range(&mut file, start, end - start)?;
            let piece = StoredPiece { start, end, owner: owner.to_owned() };
            self.replica.put(&self.keys.upload(&piece), bytes)?;
            stored.bytes = end;
        }
        Ok(())
    }

    fn store_stems(
        &self,
        manifest: &Manifest,
        owner: &str,
        stored: &mut Stored,
    ) -> Result<(), WriteError> {
        let frame = frame_bytes(Encoding::F32Le);
        let at_once = (PIECE_BYTES / (frame * manifest.stems.len().max(1) as u64)).max(1);
        while stored.frames < manifest.commit.stems.0 {
            let start = stored.frames;
            let end = manifest.commit.stems.0.min(start + at_once);
            let mut bytes = Vec::new();
            for stem in &manifest.stems {
                // The file is renamed when the stem is final.
                let mut file = File::open(self.layout.growing_stem(&stem.name))
                    .or_else(|_| File::open(self.layout.stem(&stem.name)))?;
                let length = (end - start) * frame;
                bytes.extend(read_range(&mut file, HEADER_BYTES + start * frame, length)?);
            }
            let piece = StoredPiece { start, end, owner: owner.to_owned() };
            self.replica.put(&self.keys.stem_frames(&piece), bytes)?;
            stored.frames = end;
        }
        Ok(())
    }

    /// Returns the name of the overlap state of `manifest`, if it has one.
    fn store_overlap_state(
        &self,
        manifest: &Manifest,
        owner: &str,
        stored: &Stored,
    ) -> Result<Option<String>, WriteError> {
        let commit = &manifest.commit;
        if !commit.overlap_state || commit.overlap_lost {
            return Ok(None);
        }
        let same = |before: &Arc<Manifest>| {
            let before = &before.commit;
            (before.segments, before.overlap_crc32c) == (commit.segments, commit.overlap_crc32c)
        };
        if let Some(name) = &stored.overlap_state
            && commit.overlap_crc32c.is_some()
            && stored.manifest.as_ref().is_some_and(same)
        {
            return Ok(Some(name.clone()));
        }
        let bytes = std::fs::read(self.layout.overlap_state(commit.segments))?;
        let name = format!("{}.{owner}", commit.segments);
        self.replica.put(&self.keys.overlap_state(&name), bytes)?;
        Ok(Some(name))
    }

    /// Stores the cover. Without it, the session is as good.
    fn store_cover(&self, manifest: &Manifest, stored: &mut Stored) -> Result<(), WriteError> {
        let crc32c = manifest.source.as_ref().and_then(|source| source.cover_crc32c);
        if let Some(crc32c) = crc32c.filter(|_| stored.cover != crc32c)
            && let Ok(bytes) = std::fs::read(self.layout.cover())
            && extend(0, &bytes) == crc32c
        {
            self.replica.put(&self.keys.cover(crc32c), bytes)?;
            stored.cover = Some(crc32c);
        }
        Ok(())
    }

    /// Stores the checksums of the stems of a session that has ended, so that stems can be read without their files. Without
    /// them, the files are restored.
    fn store_checksums(&self, manifest: &Manifest, stored: &mut Stored) -> Result<(), WriteError> {
        let rows = manifest.commit.checksums.as_ref().map(|checksums| checksums.rows);
        if let Some(rows) = rows.filter(|_| is_complete(manifest) && stored.checksums != rows)
            && let Ok(bytes) = std::fs::read(self.layout.checksums())
            && extend(0, &bytes) == rows
        {
            self.replica.put(&self.keys.checksums(rows), bytes)?;
            stored.checksums = Some(rows);
        }
        Ok(())
    }

    /// Stores the manifest, unless another server has stored its successor.
    fn commit(
        &self,
        manifest: &Arc<Manifest>,
        overlap_state: Option<String>,
        stored: &mut Stored,
    ) -> Result<(), WriteError> {
        let header = RecordHeader {
            format: FORMAT,
            owner: self.owner.to_owned(),
            spans: stored.spans.clone(),
            overlap_state: overlap_state.clone(),
            removed: false,
            request: None,
        };
        let record = Record { header, manifest: manifest.to_bytes()? };
        self.create(&record, stored)?;
        let before =
            stored.overlap_state.take().filter(|name| overlap_state.as_ref() != Some(name));
        stored.manifest = Some(Arc::clone(manifest));
        (stored.has_new_span, stored.overlap_state) = (false, overlap_state);
        if let Some(name) = before {
            // If this fails, it takes space until the session is removed.
            let _ = self.replica.delete(&self.keys.overlap_state(&name));
        }
        Ok(())
    }
}

fn read_range(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
