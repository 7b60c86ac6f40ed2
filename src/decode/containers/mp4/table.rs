//! Where the packets of a track lie: the tables of an `stbl` box (ISO/IEC 14496-12, 8.6 and 8.7).

use std::io;
use std::ops::Range;

use super::boxes::{Mp4Box, number};
use super::entry::broken;
use crate::decode::bytes::Bytes;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::report::Container;

/// A packet of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it begins in the upload.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// How long it sounds, in the units of its track.
    pub(super) duration: u64,
    /// No packet of this table follows.
    pub(super) is_last: bool,
}

/// The packets of a track in the order in which they are heard.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Runs of packets that sound equally long: how many, how long.
    durations: Vec<[u32; 2]>,
    sizes: Sizes,
    /// Runs of chunks that hold equally many packets: the first chunk, counted from 1, how many.
    chunks: Vec<[u32; 2]>,
    /// Where each chunk begins.
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

/// Where a walk through the tables is.
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

impl Table {
    /// Reads the tables, each as far as a limit allows.
    pub(super) fn read(
        stbl: &Mp4Box,
        bytes: &mut Bytes,
        limits: &Limits,
    ) -> Result<Table, DecodeError> {
        let mut table = Table::default();
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
                        _ => return Err(broken("a table of sizes is too short")),
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
                b"stz2" => return Err(broken("its table of sizes is of the compact kind")),
                _ => {}
            }
        }
        Ok(table)
    }

    /// How many packets the tables tell of.
    pub(super) fn len(&self) -> usize {
        match &self.sizes {
            Sizes::None => 0,
            // Packets without a byte hold nothing, and there may be four thousand million of them.
            Sizes::Equal { bytes: 0, .. } => 0,
            Sizes::Equal { count, .. } => *count as usize,
            Sizes::Each(sizes) => sizes.len(),
        }
    }

    /// How long all packets sound, in the units of the track.
    pub(super) fn duration(&self) -> u64 {
        let runs = self.durations.iter().map(|&[count, each]| u64::from(count) * u64::from(each));
        runs.fold(0, u64::saturating_add)
    }

    /// How long the last packet sounds.
    pub(super) fn last_duration(&self) -> Option<u64> {
        self.durations.iter().rev().find(|[count, _]| *count > 0).map(|&[_, each]| each.into())
    }

    /// The next packet; `None` behind the last or where a table ends early.
    pub(super) fn next(&mut self) -> Option<Place> {
        let count = self.len();
        let at = &mut self.at;
        let size = match &self.sizes {
            Sizes::Equal { bytes, .. } if at.packet < count => *bytes,
            Sizes::Each(sizes) => *sizes.get(at.packet)?,
            _ => return None,
        };
        // Chunks are counted from 1, and a run goes on until the next one begins.
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
        Some(Place { start, bytes: size.into(), duration, is_last: at.packet == count })
    }
}

/// The 32-bit words of a table whose count of entries lies at byte `at` and whose entries have
/// `entry` bytes; no more of them than the box holds.
fn words(
    table: &Mp4Box,
    at: u64,
    entry: u64,
    bytes: &mut Bytes,
    limits: &Limits,
) -> Result<Vec<u32>, DecodeError> {
    let entries = span(table, at, entry, bytes)?;
    if entries.end - entries.start > limits.header_bytes as u64 {
        return Err(DecodeError::TooLarge {
            container: Container::Mp4,
            what: "one table in bytes",
            limit: limits.header_bytes as u64,
        });
    }
    bytes.seek(entries.start);
    let held = bytes.take((entries.end - entries.start) as usize)?;
    let word = |word: &[u8]| u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
    Ok(held.chunks_exact(4).map(word).collect())
}

/// Where the entries of a table lie.
fn span(table: &Mp4Box, at: u64, entry: u64, bytes: &mut Bytes) -> io::Result<Range<u64>> {
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
    fn packets_lie_in_chunks() {
        let mut table = Table {
            durations: vec![[3, 1024], [2, 100]],
            sizes: Sizes::Each(vec![10, 20, 30, 40, 50]),
            chunks: vec![[1, 2], [3, 1]],
            offsets: vec![1000, 2000, 3000],
            at: Cursor::default(),
        };
        let mut place = |start, bytes, duration, is_last| {
            assert_eq!(table.next(), Some(Place { start, bytes, duration, is_last }));
        };
        place(1000, 10, 1024, false);
        place(1010, 20, 1024, false);
        place(2000, 30, 1024, false);
        place(2030, 40, 100, false);
        place(3000, 50, 100, true);
        assert_eq!(table.next(), None);
        assert_eq!(table.duration(), 3272);
        assert_eq!(table.last_duration(), Some(100));
    }

    #[test]
    fn tables_that_contradict_each_other_end() {
        let empty_chunks = Table {
            sizes: Sizes::Equal { bytes: 1, count: u32::MAX },
            chunks: vec![[1, 0]],
            offsets: vec![0; 100],
            ..Table::default()
        };
        let no_bytes = Table {
            sizes: Sizes::Equal { bytes: 0, count: u32::MAX },
            chunks: vec![[1, u32::MAX]],
            offsets: vec![0],
            ..Table::default()
        };
        for mut table in [empty_chunks, no_bytes, Table::default()] {
            assert_eq!(table.next(), None);
        }
    }
}
