//! The edges of an upload's silent passages on disk, at the rate of the stems.
//!
//! The file `silence` is a `u64` per edge in little-endian order, in the order in which the decoder finds them: the position
//! in frames, with bit 63 set for the right channel and bit 62 for the end of a passage. It is kept like the track: frames of
//! both are committed together, and the decoder sends edges again that the file has already.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::audio::Frames;
use crate::decode::EdgeKind;
use crate::session::checksums::{Prefix, extend, prefix_of};

const EDGE_BYTES: u64 = 8;
const RIGHT: u64 = 1 << 63;
const END: u64 = 1 << 62;

/// An edge of a silent passage of one channel, at the rate of the stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StemEdge {
    /// 0 is left, 1 is right.
    pub(super) channel: usize,
    pub(super) kind: EdgeKind,
    pub(super) position: Frames,
}

/// Writes `silence`.
#[derive(Debug)]
pub(super) struct SilenceFileWriter {
    file: File,
    written: Prefix,
    /// Edges that the decoder sends again although the file has them.
    skip: u64,
}

/// Reads `silence` while it is written.
#[derive(Debug)]
pub(super) struct SilenceFileReader {
    path: PathBuf,
    /// Opened by the first read: it may not exist before the decoder starts.
    file: Option<BufReader<File>>,
    /// Bytes read.
    read: u64,
    /// Bytes that have been synced to disk.
    synced: u64,
}

impl SilenceFileWriter {
    /// Opens the file and truncates it to what is committed of it; to nothing if it is damaged, which the decoder then writes
    /// again.
    pub(super) fn open(path: &Path, committed: Prefix) -> io::Result<SilenceFileWriter> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut written = prefix_of(&mut file, committed.bytes)?;
        if written != committed {
            tracing::warn!(file = %path.display(), "the silent passages are damaged; decoding again");
            written = Prefix::default();
        }
        file.set_len(written.bytes)?;
        file.seek(SeekFrom::Start(written.bytes))?;
        Ok(SilenceFileWriter { file, written, skip: written.bytes / EDGE_BYTES })
    }

    /// Appends an edge, unless the file has it. Returns the bytes written.
    pub(super) fn append(&mut self, edge: StemEdge) -> io::Result<u64> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(0);
        }
        let bytes = edge.to_word().to_le_bytes();
        self.file.write_all(&bytes)?;
        self.written.bytes += EDGE_BYTES;
        self.written.crc32c = extend(self.written.crc32c, &bytes);
        Ok(EDGE_BYTES)
    }

    /// Length and checksum of the file.
    pub(super) fn written(&self) -> Prefix {
        self.written
    }
}

impl SilenceFileReader {
    /// Reads from the beginning. Nothing is opened yet.
    pub(super) fn new(path: PathBuf) -> SilenceFileReader {
        SilenceFileReader { path, file: None, read: 0, synced: 0 }
    }

    /// The next edge within the first `known` bytes of the file.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn next(&mut self, known: u64) -> io::Result<Option<StemEdge>> {
        if self.read + EDGE_BYTES > known {
            return Ok(None);
        }
        let mut word = [0; EDGE_BYTES as usize];
        self.open()?.read_exact(&mut word)?;
        self.read += EDGE_BYTES;
        Ok(Some(StemEdge::from_word(u64::from_le_bytes(word))))
    }

    /// Syncs the first `known` bytes to disk, unless they are.
    ///
    /// # Errors
    /// I/O errors of the file.
    pub(super) fn sync(&mut self, known: u64) -> io::Result<()> {
        if self.synced < known {
            self.open()?.get_ref().sync_data()?;
            self.synced = known;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut BufReader<File>> {
        let file = match self.file.take() {
            Some(file) => file,
            // Windows syncs only what may be written.
            None => BufReader::new(OpenOptions::new().read(true).write(true).open(&self.path)?),
        };
        Ok(self.file.insert(file))
    }
}

impl StemEdge {
    fn to_word(self) -> u64 {
        let channel = if self.channel == 0 { 0 } else { RIGHT };
        let kind = if self.kind == EdgeKind::End { END } else { 0 };
        self.position.0 & !(RIGHT | END) | channel | kind
    }

    fn from_word(word: u64) -> StemEdge {
        let kind = if word & END == 0 { EdgeKind::Start } else { EdgeKind::End };
        let channel = usize::from(word & RIGHT != 0);
        StemEdge { channel, kind, position: Frames(word & !(RIGHT | END)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [StemEdge; 4] = [
        StemEdge { channel: 0, kind: EdgeKind::Start, position: Frames(0) },
        StemEdge { channel: 1, kind: EdgeKind::Start, position: Frames(7) },
        StemEdge { channel: 0, kind: EdgeKind::End, position: Frames(9_000) },
        StemEdge { channel: 1, kind: EdgeKind::End, position: Frames(1 << 40) },
    ];

    fn write(path: &Path, committed: Prefix, edges: &[StemEdge]) -> (u64, Prefix) {
        let mut writer = SilenceFileWriter::open(path, committed).unwrap();
        let bytes = edges.iter().map(|&edge| writer.append(edge).unwrap()).sum();
        (bytes, writer.written())
    }

    #[test]
    fn edges_are_read_as_they_were_written_as_far_as_they_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silence");
        let mut reader = SilenceFileReader::new(path.clone());
        assert_eq!(reader.next(0).unwrap(), None);
        let (_, written) = write(&path, Prefix::default(), &EDGES);
        for (index, edge) in EDGES.into_iter().enumerate() {
            assert_eq!(reader.next(EDGE_BYTES * index as u64).unwrap(), None);
            assert_eq!(reader.next(EDGE_BYTES * (index as u64 + 1)).unwrap(), Some(edge));
        }
        reader.sync(written.bytes).unwrap();
    }

    #[test]
    fn a_file_continues_behind_its_committed_edges() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silence");
        let (_, committed) = write(&path, Prefix::default(), &EDGES[..2]);
        // The decoder was ahead of the commit, and begins again.
        write(&path, committed, &EDGES[..3]);
        let whole = write(&path, committed, &EDGES);
        assert_eq!(whole.0, 2 * EDGE_BYTES);
        let other = folder.path().join("other");
        assert_eq!(whole.1, write(&other, Prefix::default(), &EDGES).1);
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&other).unwrap());
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silence");
        let (_, committed) = write(&path, Prefix::default(), &EDGES);
        let damaged = Prefix { crc32c: !committed.crc32c, ..committed };
        let longer = Prefix { bytes: committed.bytes + EDGE_BYTES, ..committed };
        for other in [damaged, longer] {
            let writer = SilenceFileWriter::open(&path, other).unwrap();
            assert_eq!((writer.written(), writer.skip), (Prefix::default(), 0));
            drop(writer);
            write(&path, Prefix::default(), &EDGES);
        }
    }
}
