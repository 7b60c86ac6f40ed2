//! Fragments: `moof` boxes with the locations of some packets each (ISO/IEC 14496-12, 8.8).

use std::collections::VecDeque;

use super::boxes::{Mp4Box, number};
use super::table::PacketLocation;
use crate::decode::error::DecodeError;
use crate::decode::limits::DecodeLimits;
use crate::decode::reader::ByteReader;
use crate::decode::report::Container;

/// Default duration and size of packets in fragments, from the `trex` box of the track.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PacketDefaults {
    duration: u64,
    bytes: u64,
}

impl PacketDefaults {
    /// The defaults of a track in a `moov` box; `None` if the file has no fragments.
    pub(super) fn read(
        moov: &Mp4Box,
        track: u32,
        bytes: &mut ByteReader,
    ) -> Result<Option<PacketDefaults>, DecodeError> {
        let Some(mvex) = moov.descend(bytes, &[b"mvex"])? else { return Ok(None) };
        for trex in mvex.children(bytes, 0)?.iter().filter(|child| child.kind == *b"trex") {
            let content = trex.read(bytes, 24)?;
            let word = |at: usize| number(&content, at, 4).unwrap_or(0);
            if word(4) == u64::from(track) {
                return Ok(Some(PacketDefaults { duration: word(12), bytes: word(16) }));
            }
        }
        Ok(Some(PacketDefaults::default()))
    }
}

/// The packets of a track in a `moof` box.
///
/// # Errors
/// [`DecodeError::TooLarge`] if they exceed [`DecodeLimits::header_bytes`].
pub(super) fn read(
    moof: &Mp4Box,
    track: u32,
    defaults: PacketDefaults,
    bytes: &mut ByteReader,
    limits: &DecodeLimits,
) -> Result<VecDeque<PacketLocation>, DecodeError> {
    let mut locations = VecDeque::new();
    for traf in moof.children(bytes, 0)?.iter().filter(|child| child.kind == *b"traf") {
        let children = traf.children(bytes, 0)?;
        let Some(header) = children.iter().find(|child| child.kind == *b"tfhd") else { continue };
        let header = header.read(bytes, 40)?;
        let mut fields = Fields::new(&header);
        if fields.take(4) != Some(track.into()) {
            continue;
        }
        let base = fields.flagged(0x1, 8).unwrap_or(moof.start);
        fields.flagged(0x2, 4);
        let defaults = PacketDefaults {
            duration: fields.flagged(0x8, 4).unwrap_or(defaults.duration),
            bytes: fields.flagged(0x10, 4).unwrap_or(defaults.bytes),
        };
        let mut start = base;
        for run in children.iter().filter(|child| child.kind == *b"trun") {
            let content = run.read(bytes, limits.header_bytes)?;
            start = read_run(&content, base, start, defaults, &mut locations)
                .filter(|_| locations.len() <= limits.header_bytes / size_of::<PacketLocation>())
                .ok_or(DecodeError::TooLarge {
                    container: Container::Mp4,
                    what: "bytes in one fragment",
                    limit: limits.header_bytes as u64,
                })?;
        }
    }
    if let Some(last) = locations.back_mut() {
        last.is_last = true;
    }
    Ok(locations)
}

/// Appends the packets of a `trun` box and returns the offset of the next run; `None` if there are
/// more than [`MAX_RUN`].
fn read_run(
    content: &[u8],
    base: u64,
    mut start: u64,
    defaults: PacketDefaults,
    locations: &mut VecDeque<PacketLocation>,
) -> Option<u64> {
    let mut fields = Fields::new(content);
    let count = fields.take(4).unwrap_or(0);
    if let Some(offset) = fields.flagged(0x1, 4) {
        start = base.wrapping_add_signed(i64::from(offset as u32 as i32));
    }
    fields.flagged(0x4, 4);
    // Packets of equal size and duration take no bytes, so that the box does not limit their count.
    if count > MAX_RUN {
        return None;
    }
    // Packets of 0 bytes hold nothing.
    if fields.flags & 0x200 == 0 && defaults.bytes == 0 {
        return Some(start);
    }
    for _ in 0..count {
        let duration = fields.flagged(0x100, 4).unwrap_or(defaults.duration);
        let bytes = fields.flagged(0x200, 4).unwrap_or(defaults.bytes);
        fields.flagged(0x400, 4);
        fields.flagged(0x800, 4);
        if fields.is_short {
            break;
        }
        locations.push_back(PacketLocation { start, bytes, duration, is_last: false });
        start = start.saturating_add(bytes);
    }
    Some(start)
}

/// Packets of one run: fragments last seconds, and this is more than an hour.
const MAX_RUN: u64 = 1 << 18;

/// Reads the fields of a full box, some of which are present only if a flag is set.
struct Fields<'a> {
    content: &'a [u8],
    flags: u64,
    at: usize,
    /// A field was read beyond the end of the content.
    is_short: bool,
}

impl Fields<'_> {
    fn new(content: &[u8]) -> Fields<'_> {
        Fields { content, flags: number(content, 1, 3).unwrap_or(0), at: 4, is_short: false }
    }

    fn take(&mut self, count: usize) -> Option<u64> {
        let value = number(self.content, self.at, count);
        self.at += count;
        self.is_short |= value.is_none();
        value
    }

    fn flagged(&mut self, flag: u64, count: usize) -> Option<u64> {
        if self.flags & flag == 0 { None } else { self.take(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packets of a `trun` box with these flags, this count, and these numbers behind it.
    fn run(
        flags: u32,
        count: u32,
        numbers: &[u32],
        bytes: u64,
    ) -> Option<VecDeque<PacketLocation>> {
        let content = [&[flags, count], numbers].concat();
        let content: Vec<u8> = content.into_iter().flat_map(u32::to_be_bytes).collect();
        let mut locations = VecDeque::new();
        let defaults = PacketDefaults { duration: 1024, bytes };
        read_run(&content, 100, 100, defaults, &mut locations).map(|_| locations)
    }

    #[test]
    fn a_run_holds_no_more_packets_than_its_bytes() {
        let location =
            |start, bytes| PacketLocation { start, bytes, duration: 1024, is_last: false };
        assert_eq!(run(0x200, 2, &[30, 40], 0).unwrap(), [location(100, 30), location(130, 40)]);
        assert_eq!(run(0x201, 3, &[8, 30], 0).unwrap(), [location(108, 30)]);
        assert_eq!(run(0, 2, &[], 50).unwrap(), [location(100, 50), location(150, 50)]);
        // Packets of 0 bytes would cost time and memory for nothing.
        assert!(run(0, 1 << 18, &[], 0).unwrap().is_empty());
        assert!(run(0, u32::MAX, &[], 1).is_none());
    }
}
