//! Fragments: `moof` boxes, each with the places of a few packets (ISO/IEC 14496-12, 8.8).

use std::collections::VecDeque;

use super::boxes::{Mp4Box, number};
use super::table::Place;
use crate::decode::bytes::Bytes;
use crate::decode::error::DecodeError;
use crate::decode::limits::Limits;
use crate::decode::report::Container;

/// What packets are unless a fragment says otherwise, from the `trex` box of the track.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Defaults {
    duration: u64,
    bytes: u64,
}

impl Defaults {
    /// Those of one track of a `moov` box; `None` if the file has no fragments.
    pub(super) fn read(
        moov: &Mp4Box,
        track: u32,
        bytes: &mut Bytes,
    ) -> Result<Option<Defaults>, DecodeError> {
        let Some(mvex) = moov.descend(bytes, &[b"mvex"])? else { return Ok(None) };
        for trex in mvex.children(bytes, 0)?.iter().filter(|child| child.kind == *b"trex") {
            let content = trex.read(bytes, 24)?;
            let word = |at: usize| number(&content, at, 4).unwrap_or(0);
            if word(4) == u64::from(track) {
                return Ok(Some(Defaults { duration: word(12), bytes: word(16) }));
            }
        }
        Ok(Some(Defaults::default()))
    }
}

/// The packets of one track in a `moof` box.
pub(super) fn read(
    moof: &Mp4Box,
    track: u32,
    defaults: Defaults,
    bytes: &mut Bytes,
    limits: &Limits,
) -> Result<VecDeque<Place>, DecodeError> {
    let mut places = VecDeque::new();
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
        let defaults = Defaults {
            duration: fields.flagged(0x8, 4).unwrap_or(defaults.duration),
            bytes: fields.flagged(0x10, 4).unwrap_or(defaults.bytes),
        };
        let mut start = base;
        for run in children.iter().filter(|child| child.kind == *b"trun") {
            let content = run.read(bytes, limits.header_bytes)?;
            start = read_run(&content, base, start, defaults, &mut places)
                .filter(|_| places.len() <= limits.header_bytes / size_of::<Place>())
                .ok_or(DecodeError::TooLarge {
                    container: Container::Mp4,
                    what: "one fragment in bytes",
                    limit: limits.header_bytes as u64,
                })?;
        }
    }
    if let Some(last) = places.back_mut() {
        last.is_last = true;
    }
    Ok(places)
}

/// Adds the packets of a `trun` box and returns where the next run begins; `None` where there are
/// more than its bytes tell of.
fn read_run(
    content: &[u8],
    base: u64,
    mut start: u64,
    defaults: Defaults,
    places: &mut VecDeque<Place>,
) -> Option<u64> {
    let mut fields = Fields::new(content);
    let count = fields.take(4).unwrap_or(0);
    if let Some(offset) = fields.flagged(0x1, 4) {
        start = base.wrapping_add_signed(i64::from(offset as u32 as i32));
    }
    fields.flagged(0x4, 4);
    // Packets that are all alike take no bytes, so that their number is not limited by the box.
    if count > MAX_RUN {
        return None;
    }
    // Packets without a byte hold nothing.
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
        places.push_back(Place { start, bytes, duration, is_last: false });
        start = start.saturating_add(bytes);
    }
    Some(start)
}

/// Packets of one run: a fragment is seconds long, and this is an hour.
const MAX_RUN: u64 = 1 << 18;

/// Fields of a full box, some of which are there only if a flag says so.
struct Fields<'a> {
    content: &'a [u8],
    flags: u64,
    at: usize,
    /// A field was wanted that is not there.
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

    /// Packets found in a `trun` box of so many flags and numbers behind the count.
    fn run(flags: u32, count: u32, numbers: &[u32], bytes: u64) -> Option<VecDeque<Place>> {
        let content = [&[flags, count], numbers].concat();
        let content: Vec<u8> = content.into_iter().flat_map(u32::to_be_bytes).collect();
        let mut places = VecDeque::new();
        let defaults = Defaults { duration: 1024, bytes };
        read_run(&content, 100, 100, defaults, &mut places).map(|_| places)
    }

    #[test]
    fn a_run_holds_no_more_than_it_tells_of() {
        let place = |start, bytes| Place { start, bytes, duration: 1024, is_last: false };
        assert_eq!(run(0x200, 2, &[30, 40], 0).unwrap(), [place(100, 30), place(130, 40)]);
        assert_eq!(run(0x201, 3, &[8, 30], 0).unwrap(), [place(108, 30)]);
        assert_eq!(run(0, 2, &[], 50).unwrap(), [place(100, 50), place(150, 50)]);
        // Packets without a byte would cost time and memory for nothing.
        assert!(run(0, 1 << 18, &[], 0).unwrap().is_empty());
        assert!(run(0, u32::MAX, &[], 1).is_none());
    }
}
