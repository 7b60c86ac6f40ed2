//! The sample tables of an `stbl` box: locations of a track's packets (ISO/IEC 14496-12, 8.6 and 8.7).

use std::io;
use std::ops::Range;

use super::boxes::{Mp4Box, number};
use super::entry::malformed;
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::Container;

/// Where a packet lies, and its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PacketLocation {
    /// Its offset in the upload.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// Its duration in the units of its track.
    pub(super) duration: u64,
    /// The last packet of this table or fragment.
    pub(super) is_last: bool,
}

/// The packets of a track in decoding order.
#[derive(Debug, Default)]
pub(super) struct SampleTable {
    /// Runs of packets of equal duration: count, duration.
    durations: Vec<[u32; 2]>,
    sizes: Sizes,
    /// Runs of chunks with equally many packets: the first chunk, counted from 1, and the count.
    chunks: Vec<[u32; 2]>,
    /// Offset of each chunk.
    offsets: Vec<u64>,
    /// The next packet.
    at: Cursor,
}

#[derive(Debug, Default)]
enum Sizes {
    #[default]
    None,
    Equal {
        bytes: u32,
        count: u32,
    },
    Each(Vec<u32>),
}

/// Position of an iteration over the tables.
#[derive(Debug, Default)]
struct Cursor {
    packet: usize,
    chunk: usize,
    chunk_run: usize,
    packet_in_chunk: u32,
    bytes_in_chunk: u64,
    duration_run: usize,
    packet_in_run: u32,
}

impl SampleTable {
    /// Reads the tables.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] if one of them exceeds [`DecodeLimits::header_bytes`].
    pub(super) fn read(
        stbl: &Mp4Box,
        bytes: &mut ByteReader,
        limits: &DecodeLimits,
    ) -> Result<SampleTable, DecodeError> {
        let mut table = SampleTable::default();
        for child in stbl.children(bytes, 0)? {
            match &child.kind {
                b"stts" => {
                    let words = words(&child, 4, 8, bytes, limits)?;
                    table.durations = words.chunks_exact(2).map(|run| [run[0], run[1]]).collect();
                }
                b"stsc" => {
                    let words = words(&child, 4, 12, bytes, limits)?;
                    table.chunks = words.chunks_exact(3).map(|run| [run[0], run[1]]).collect();
                }
                b"stsz" => {
                    let head = child.read(bytes, 12)?;
                    table.sizes = match (number(&head, 4, 4), number(&head, 8, 4)) {
                        (Some(0), _) => Sizes::Each(words(&child, 8, 4, bytes, limits)?),
                        (Some(size), Some(count)) => {
                            Sizes::Equal { bytes: size as u32, count: count as u32 }
                        }
                        _ => return Err(malformed("a table of sizes is too short")),
                    };
                }
                b"stco" => {
                    let words = words(&child, 4, 4, bytes, limits)?;
                    table.offsets = words.into_iter().map(u64::from).collect();
                }
                b"co64" => {
                    let words = words(&child, 4, 8, bytes, limits)?;
                    let long = |pair: &[u32]| u64::from(pair[0]) << 32 | u64::from(pair[1]);
                    table.offsets = words.chunks_exact(2).map(long).collect();
                }
                b"stz2" => return Err(malformed("its table of sizes is of the compact kind")),
                _ => {}
            }
        }
        Ok(table)
    }

    /// Whether every packet has been returned.
    pub(super) fn is_at_end(&self) -> bool {
        self.at.packet >= self.len()
    }

    /// Offset of the first packet.
    pub(super) fn start(&self) -> Option<u64> {
        self.offsets.first().copied()
    }

    /// Sets the size of PCM frames: old QuickTime files state 1 byte for a frame of any width.
    pub(super) fn set_frame_bytes(&mut self, frame_bytes: u32) {
        if let Sizes::Equal { bytes, .. } = &mut self.sizes {
            *bytes = frame_bytes;
        }
    }

    /// Count of packets.
    pub(super) fn len(&self) -> usize {
        match &self.sizes {
            Sizes::None => 0,
            // Packets of 0 bytes hold nothing, and a header may state 2^32 of them.
            Sizes::Equal { bytes: 0, .. } => 0,
            Sizes::Equal { count, .. } => *count as usize,
            Sizes::Each(sizes) => sizes.len(),
        }
    }

    /// Sum of the durations in the units of the track.
    pub(super) fn duration(&self) -> u64 {
        let runs = self.durations.iter().map(|&[count, each]| u64::from(count) * u64::from(each));
        runs.fold(0, u64::saturating_add)
    }

    /// Duration of the last packet.
    pub(super) fn last_duration(&self) -> Option<u64> {
        self.durations.iter().rev().find(|[count, _]| *count > 0).map(|&[_, each]| each.into())
    }

    /// The next packet; `None` after the last or if a table ends early.
    pub(super) fn next(&mut self) -> Option<PacketLocation> {
        let count = self.len();
        let at = &mut self.at;
        let size = match &self.sizes {
            Sizes::Equal { bytes, .. } if at.packet < count => *bytes,
            Sizes::Each(sizes) => *sizes.get(at.packet)?,
            _ => return None,
        };
        // Runs count chunks from 1, and each extends to the next run.
        let mut held = self.chunks.get(at.chunk_run)?[1];
        while at.packet_in_chunk >= held {
            (at.packet_in_chunk, at.bytes_in_chunk) = (0, 0);
            at.chunk += 1;
            let next = self.chunks.get(at.chunk_run + 1);
            if next.is_some_and(|next| at.chunk + 1 >= next[0] as usize) {
                at.chunk_run += 1;
            }
            self.offsets.get(at.chunk)?;
            held = self.chunks.get(at.chunk_run)?[1];
        }
        let start = self.offsets.get(at.chunk)?.saturating_add(at.bytes_in_chunk);
        while self.durations.get(at.duration_run).is_some_and(|run| at.packet_in_run >= run[0]) {
            at.duration_run += 1;
            at.packet_in_run = 0;
        }
        let duration = self.durations.get(at.duration_run).map_or(0, |run| run[1].into());
        at.packet += 1;
        at.packet_in_chunk += 1;
        at.packet_in_run += 1;
        at.bytes_in_chunk += u64::from(size);
        Some(PacketLocation { start, bytes: size.into(), duration, is_last: at.packet == count })
    }
}

/// The entries of a table as 32-bit words, at most as many as the box holds. The count of entries is
/// at byte `at`; an entry has `entry` bytes.
fn words(
    table: &Mp4Box,
    at: u64,
    entry: u64,
    bytes: &mut ByteReader,
    limits: &DecodeLimits,
) -> Result<Vec<u32>, DecodeError> {
    let entries = span(table, at, entry, bytes)?;
    if entries.end - entries.start > limits.header_bytes as u64 {
        return Err(DecodeError::TooLarge {
            container: Container::Mp4,
            what: "bytes in one table",
            limit: limits.header_bytes as u64,
        });
    }
    bytes.seek(entries.start);
    let held = bytes.take((entries.end - entries.start) as usize)?;
    let word = |word: &[u8]| u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
    Ok(held.chunks_exact(4).map(word).collect())
}

/// Offsets of the entries of a table in the upload.
fn span(table: &Mp4Box, at: u64, entry: u64, bytes: &mut ByteReader) -> io::Result<Range<u64>> {
    bytes.seek(table.content.start.saturating_add(at));
    let count = bytes.array()?.map_or(0, u32::from_be_bytes);
    let start = bytes.position().min(table.content.end);
    let end = start.saturating_add(u64::from(count) * entry).min(table.content.end);
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_located_in_chunks() {
        let mut table = SampleTable {
            durations: vec![[3, 1024], [2, 100]],
            sizes: Sizes::Each(vec![10, 20, 30, 40, 50]),
            chunks: vec![[1, 2], [3, 1]],
            offsets: vec![1000, 2000, 3000],
            at: Cursor::default(),
        };
        let mut location = |start, bytes, duration, is_last| {
            assert_eq!(table.next(), Some(PacketLocation { start, bytes, duration, is_last }));
        };
        location(1000, 10, 1024, false);
        location(1010, 20, 1024, false);
        location(2000, 30, 1024, false);
        location(2030, 40, 100, false);
        location(3000, 50, 100, true);
        assert_eq!(table.next(), None);
        assert_eq!(table.duration(), 3272);
        assert_eq!(table.last_duration(), Some(100));
    }

    #[test]
    fn inconsistent_tables_end() {
        let empty_chunks = SampleTable {
            sizes: Sizes::Equal { bytes: 1, count: u32::MAX },
            chunks: vec![[1, 0]],
            offsets: vec![0; 100],
            ..SampleTable::default()
        };
        let no_bytes = SampleTable {
            sizes: Sizes::Equal { bytes: 0, count: u32::MAX },
            chunks: vec![[1, u32::MAX]],
            offsets: vec![0],
            ..SampleTable::default()
        };
        for mut table in [empty_chunks, no_bytes, SampleTable::default()] {
            assert_eq!(table.next(), None);
        }
    }
}
