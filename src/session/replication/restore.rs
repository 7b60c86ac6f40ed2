//! Writes the files of a session from the store to the local disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::keys::Keys;
use super::manifest_record::{OwnerSpan, PieceLink, Record, chain};
use crate::audio::wav::{GrowingWav, frame_bytes};
use crate::audio::{Encoding, Frames};
use crate::files;
use crate::session::checksums::{BlockSums, ChecksumFile, Damage, extend};
use crate::session::layout::missing_is_removed;
use crate::session::manifest::Manifest;
use crate::session::replica::Replica;
use crate::session::{Layout, SessionState};

/// Reads one session from a store.
pub(super) struct Restorer<'a> {
    pub(super) replica: &'a dyn Replica,
    pub(super) keys: Keys,
    pub(super) spans: &'a [OwnerSpan],
}

/// Whether the files of a session are read from the store only when they are needed: it has ended, and nothing is written to it.
pub(super) fn is_complete(manifest: &Manifest) -> bool {
    manifest.state().is_ended()
        && (manifest.upload_complete() || manifest.state() != SessionState::Done)
}

impl Restorer<'_> {
    /// The bytes of the upload that are in the store from the first one on.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn uploaded(&self) -> io::Result<u64> {
        let names = self.replica.list(&self.keys.uploads())?;
        let chained = chain(&names, self.spans, |span| span.bytes, u64::MAX);
        Ok(chained.last().map_or(0, |link| link.end))
    }

    /// Replaces the directory of a session by one as the store has it. The files of one that has ended are left out. Returns
    /// the bytes of its upload.
    ///
    /// # Errors
    /// Those of the store and of the directory; then the directory is not there.
    pub(super) fn directory(
        &self,
        record: &Record,
        manifest: &Manifest,
        layout: &Layout,
    ) -> io::Result<u64> {
        let part = layout.part();
        part.remove()?;
        layout.remove()?;
        fs::create_dir(part.directory())?;
        fs::create_dir(part.stems())?;
        let uploaded = if is_complete(manifest) {
            let recorded = manifest.upload.stored.map_or(0, |prefix| prefix.bytes);
            let length = manifest.upload.total.unwrap_or(recorded);
            // Its length is known, and takes no space.
            File::create(part.upload())?.set_len(length)?;
            length
        } else {
            self.running(record, manifest, &part)?
        };
        files::write_synced(&part.manifest(), &record.manifest)?;
        files::publish(part.directory(), layout.directory())?;
        Ok(uploaded)
    }

    /// The files that a session needs to continue.
    fn running(&self, record: &Record, manifest: &Manifest, part: &Layout) -> io::Result<u64> {
        let uploaded = self.upload(&part.upload())?;
        self.overlap_state(record, manifest, part)?;
        self.cover(manifest, part)?;
        self.stems_as_stored(manifest, part)?;
        Ok(uploaded)
    }

    /// The files of a session that has ended.
    ///
    /// # Errors
    /// Those of the store and of the directory.
    pub(super) fn ended(&self, manifest: &Manifest, layout: &Layout) -> io::Result<()> {
        let upload = files::part_path(&layout.upload());
        self.upload(&upload)?;
        files::publish(&upload, &layout.upload())?;
        self.cover(manifest, layout)?;
        self.stems_as_stored(manifest, layout)
    }

    /// Writes the stems and their checksums. Stems that are damaged or lost are left as they are: the session finds out, and
    /// computes them again from its upload.
    fn stems_as_stored(&self, manifest: &Manifest, layout: &Layout) -> io::Result<()> {
        match self.stems(manifest, layout) {
            Err(error) if Damage::in_error(&error).is_some() => {
                tracing::error!(session = %manifest.id, %error, "stems in the object store are damaged");
                Ok(())
            }
            stored => stored,
        }
    }

    /// Writes the upload, and returns its length.
    fn upload(&self, path: &Path) -> io::Result<u64> {
        let names = self.replica.list(&self.keys.uploads())?;
        let mut file = File::create(path)?;
        let mut length = 0;
        for PieceLink { piece, start, end } in
            chain(&names, self.spans, |span| span.bytes, u64::MAX)
        {
            let bytes = self.object(&self.keys.upload(&piece))?;
            let range = (start - piece.start) as usize..(end - piece.start) as usize;
            file.write_all(bytes.get(range).ok_or_else(|| Damage::of(path))?)?;
            length = end;
        }
        file.sync_all()?;
        Ok(length)
    }

    fn overlap_state(
        &self,
        record: &Record,
        manifest: &Manifest,
        layout: &Layout,
    ) -> io::Result<()> {
        let Some(name) = &record.header.overlap_state else { return Ok(()) };
        let bytes = self.object(&self.keys.overlap_state(name))?;
        files::write_synced(&layout.overlap_state(manifest.commit.segments), &bytes)
    }

    /// The pieces of the stems, up to `frames`.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn stem_pieces(&self, frames: Frames) -> io::Result<Vec<PieceLink>> {
        let names = self.replica.list(&self.keys.stems())?;
        Ok(chain(&names, self.spans, |span| span.frames, frames.0))
    }

    /// Writes the checksums of the stems that have this CRC32C. Returns whether the store has them.
    ///
    /// # Errors
    /// Those of the store and of the directory.
    pub(super) fn checksums(&self, crc32c: u32, layout: &Layout) -> io::Result<bool> {
        let found = self.replica.get(&self.keys.checksums(crc32c))?;
        let Some(rows) = found.filter(|rows| extend(0, rows) == crc32c) else { return Ok(false) };
        files::replace(&layout.checksums(), &rows)?;
        Ok(true)
    }

    /// Writes the cover, if the store has it.
    ///
    /// # Errors
    /// Those of the store and of the directory.
    pub(super) fn cover(&self, manifest: &Manifest, layout: &Layout) -> io::Result<()> {
        let recorded = manifest.source.as_ref().and_then(|source| source.cover_crc32c);
        let Some(crc32c) = recorded else { return Ok(()) };
        match self.replica.get(&self.keys.cover(crc32c))? {
            Some(bytes) if extend(0, &bytes) == crc32c => files::replace(&layout.cover(), &bytes),
            _ => Ok(()),
        }
    }

    /// Writes the stems and their checksums.
    fn stems(&self, manifest: &Manifest, layout: &Layout) -> io::Result<()> {
        let frames = manifest.commit.stems;
        if frames == Frames::ZERO {
            return Ok(());
        }
        let rate =
            manifest.source.as_ref().map_or(manifest.plan.model_rate, |source| source.output_rate);
        let mut wavs = Vec::new();
        for stem in &manifest.stems {
            let path = layout.growing_stem(&stem.name);
            missing_is_removed(fs::remove_file(&path))?;
            wavs.push(GrowingWav::create(&path, Encoding::F32Le, rate)?);
        }
        let mut sums = vec![BlockSums::default(); wavs.len()];
        let frame = frame_bytes(Encoding::F32Le);
        for PieceLink { piece, start, end } in self.stem_pieces(frames)? {
            let bytes = self.object(&self.keys.stem_frames(&piece))?;
            let length = (piece.end - piece.start) * frame;
            for (stem, (wav, sums)) in wavs.iter_mut().zip(&mut sums).enumerate() {
                let at = stem as u64 * length + (start - piece.start) * frame;
                let range = at as usize..(at + (end - start) * frame) as usize;
                let samples = bytes.get(range).ok_or_else(|| Damage::of(&layout.stems()))?;
                wav.append_encoded(samples)?;
                sums.add(samples);
            }
        }
        let mut sums: Vec<&mut BlockSums> = sums.iter_mut().collect();
        ChecksumFile::resume(&layout.checksums(), &mut sums, manifest.commit.checksums.as_ref())?;
        for (wav, stem) in wavs.into_iter().zip(&manifest.stems) {
            if manifest.state() == SessionState::Done {
                wav.finish()?;
                files::publish(&layout.growing_stem(&stem.name), &layout.stem(&stem.name))?;
            } else {
                wav.sync()?;
            }
        }
        Ok(())
    }

    fn object(&self, key: &str) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(Damage::of(Path::new(key)));
        self.replica.get(key)?.ok_or_else(missing)
    }
}
