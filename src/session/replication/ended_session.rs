//! Files of a session that has ended which are only in the replica: read from there, fetched, or dropped from the disk.

use std::fs::{self, File};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Keys;
use super::manifest_record::{OwnerSpan, PieceLink};
use super::restore::Restorer;
use super::sync_mark::Mark;
use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, Frames, StemName};
use crate::files;
use crate::session::Layout;
use crate::session::checksums::Damage;
use crate::session::layout::missing_is_removed;
use crate::session::manifest::Manifest;
use crate::session::replica::Replica;

/// A session that has ended, on the disk and in the replica.
pub(super) struct EndedSession<'a> {
    pub(super) replica: &'a dyn Replica,
    pub(super) keys: Keys,
    pub(super) layout: &'a Layout,
    /// The number of its last manifest in the replica.
    pub(super) number: u64,
    pub(super) spans: Vec<OwnerSpan>,
    pub(super) manifest: Arc<Manifest>,
}

/// Whether the upload and the stems of a session are only in the replica, and where there.
#[derive(Debug)]
pub(super) struct AbsentFiles {
    are_absent: AtomicBool,
    /// Locked while they are fetched or dropped.
    changing: Mutex<()>,
    /// The pieces of the stems, once they have been listed.
    pieces: Mutex<Option<Arc<[PieceLink]>>>,
}

impl EndedSession<'_> {
    fn restorer(&self) -> Restorer<'_> {
        Restorer { replica: self.replica, keys: self.keys, spans: &self.spans }
    }
}

impl AbsentFiles {
    pub(super) fn new(are_absent: bool) -> AbsentFiles {
        let (changing, pieces) = (Mutex::default(), Mutex::default());
        AbsentFiles { are_absent: AtomicBool::new(are_absent), changing, pieces }
    }

    /// Whether they are only in the replica.
    pub(super) fn are_absent(&self) -> bool {
        self.are_absent.load(Ordering::Acquire)
    }

    /// Writes them to the disk.
    ///
    /// # Errors
    /// Those of the replica and of the directory.
    pub(super) fn fetch(&self, session: &EndedSession) -> io::Result<()> {
        let _one_at_a_time = lock(&self.changing);
        if !self.are_absent() {
            return Ok(());
        }
        session.restorer().ended(&session.manifest, session.layout)?;
        // They may be computed again.
        *lock(&self.pieces) = None;
        Mark { manifest: session.number, absent: false }.write(session.layout)?;
        self.are_absent.store(false, Ordering::Release);
        Ok(())
    }

    /// Writes the checksums of the stems to the disk, with which [`AbsentFiles::read_stem`] is checked; or all files, if the
    /// replica lacks checksums.
    ///
    /// # Errors
    /// Those of [`AbsentFiles::fetch`].
    pub(super) fn prepare(&self, session: &EndedSession) -> io::Result<()> {
        {
            let _one_at_a_time = lock(&self.changing);
            if session.layout.checksums().exists() {
                return Ok(());
            }
            if let Some(checksums) = &session.manifest.commit.checksums
                && session.restorer().checksums(checksums.rows, session.layout)?
            {
                return Ok(());
            }
        }
        self.fetch(session)
    }

    /// Writes the cover to the disk, if the session has one.
    ///
    /// # Errors
    /// Those of [`AbsentFiles::fetch`].
    pub(super) fn fetch_cover(&self, session: &EndedSession) -> io::Result<()> {
        let _one_at_a_time = lock(&self.changing);
        if session.layout.cover().exists() {
            return Ok(());
        }
        session.restorer().cover(&session.manifest, session.layout)
    }

    /// Reads `count` frames of a stem from the replica, as they are stored.
    ///
    /// # Errors
    /// Those of the replica; [`Damage`] if it has not all of them.
    pub(super) fn read_stem(
        &self,
        session: &EndedSession,
        stem: &StemName,
        start: Frames,
        count: Frames,
    ) -> io::Result<Vec<u8>> {
        let damaged = || io::Error::from(Damage::of(&session.layout.stem(stem)));
        let index = session.manifest.stems.iter().position(|other| other.name == *stem);
        let index = index.ok_or_else(damaged)? as u64;
        let frame = frame_bytes(Encoding::F32Le);
        let (mut at, end) = (start.0, start.0 + count.0);
        let mut stored = Vec::with_capacity((count.0 * frame) as usize);
        let pieces = self.pieces(session)?;
        for PieceLink { piece, start, end: until } in pieces.iter() {
            if *until <= at {
                continue;
            }
            if at >= end || *start > at {
                break;
            }
            let until = end.min(*until);
            // All frames of each stem, one stem after the other.
            let stem = index * (piece.end - piece.start);
            let range = [at, until].map(|at| (stem + at - piece.start) * frame);
            let key = session.keys.stem_frames(piece);
            let bytes = session.replica.get_range(&key, range[0]..range[1])?;
            stored.extend(bytes.ok_or_else(damaged)?);
            at = until;
        }
        if stored.len() as u64 == count.0 * frame { Ok(stored) } else { Err(damaged()) }
    }

    /// Removes them from the disk, with what has been made from them.
    ///
    /// # Errors
    /// Those of the directory.
    pub(super) fn discard(&self, session: &EndedSession) -> io::Result<()> {
        let _one_at_a_time = lock(&self.changing);
        let (layout, manifest) = (session.layout, &session.manifest);
        // Without it, files that are missing would be taken for lost.
        Mark { manifest: session.number, absent: true }.write_synced(layout)?;
        self.are_absent.store(true, Ordering::Release);
        let length = fs::metadata(layout.upload())?.len();
        let upload = files::part_path(&layout.upload());
        // Its length stays, and takes no space.
        File::create(&upload)?.set_len(length)?;
        fs::rename(&upload, layout.upload())?;
        for stem in &manifest.stems {
            for path in [layout.stem(&stem.name), layout.growing_stem(&stem.name)] {
                missing_is_removed(fs::remove_file(path))?;
            }
        }
        for folder in layout.made_from_stems() {
            missing_is_removed(fs::remove_dir_all(folder))?;
        }
        Ok(())
    }

    fn pieces(&self, session: &EndedSession) -> io::Result<Arc<[PieceLink]>> {
        let mut pieces = lock(&self.pieces);
        if let Some(pieces) = &*pieces {
            return Ok(Arc::clone(pieces));
        }
        let listed: Arc<[PieceLink]> =
            session.restorer().stem_pieces(session.manifest.commit.stems)?.into();
        Ok(Arc::clone(pieces.insert(listed)))
    }
}

/// Every value behind these locks is consistent at any time, so a poisoned lock is no error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
