//! Blocks: packets of one track with a time stamp (RFC 9559, 10).

use super::ebml::{Element, number, signed};

const BLOCK: u32 = 0xa1;
const DISCARD_PADDING: u32 = 0x75a2;

/// A parsed block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MatroskaBlock<'a> {
    pub(super) track: u64,
    /// Relative to the cluster, in its unit.
    pub(super) time: i16,
    pub(super) packets: Vec<&'a [u8]>,
    /// Nanoseconds that are removed from the end of the last packet, or, if negative, from its start.
    pub(super) padding: i64,
}

impl<'a> MatroskaBlock<'a> {
    /// Track and time of the block that begins here.
    pub(super) fn head(bytes: &[u8]) -> Option<(u64, i16)> {
        let (track, length) = number(bytes)?;
        let &time = bytes.get(length..)?.first_chunk()?;
        Some((track?, i16::from_be_bytes(time)))
    }

    /// The same of a group whose first child is its block.
    pub(super) fn head_in_group(bytes: &[u8]) -> Option<(u64, i16)> {
        let (id, size) = bytes.split_first()?;
        let (_, length) = number(size)?;
        (u32::from(*id) == BLOCK).then(|| MatroskaBlock::head(&size[length..]))?
    }

    /// Parses the content of a block, or of a group around one; `None` if it is broken.
    pub(super) fn parse(content: &'a [u8], is_group: bool) -> Option<MatroskaBlock<'a>> {
        let child = |id: u32| if is_group { Element::child(content, id) } else { None };
        let padding = child(DISCARD_PADDING).map_or(0, signed);
        let block = if is_group { child(BLOCK)? } else { content };
        let (track, time) = MatroskaBlock::head(block)?;
        let (_, length) = number(block)?;
        let (&flags, body) = block.get(length + 2..)?.split_first()?;
        let packets = match flags >> 1 & 3 {
            0 => vec![body],
            1 => split(body, xiph_sizes)?,
            2 => {
                let (&count, body) = body.split_first()?;
                let each = body.len() / (usize::from(count) + 1);
                body.chunks_exact(each.max(1)).collect()
            }
            _ => split(body, ebml_sizes)?,
        };
        Some(MatroskaBlock { track, time, packets, padding })
    }
}

/// Sizes of all packets but the last, and the bytes that they take.
type LacedSizes = (Vec<usize>, usize);

/// Splits the packets of a block: their count less one, their sizes, the packets.
fn split(body: &[u8], sizes: fn(&[u8], usize) -> Option<LacedSizes>) -> Option<Vec<&[u8]>> {
    let (&count, rest) = body.split_first()?;
    let (sizes, taken) = sizes(rest, count.into())?;
    let mut rest = rest.get(taken..)?;
    let mut packets = Vec::with_capacity(sizes.len() + 1);
    for size in sizes {
        let (packet, behind) = rest.split_at_checked(size)?;
        packets.push(packet);
        rest = behind;
    }
    packets.push(rest);
    Some(packets)
}

/// Sizes as in Ogg: bytes of 255 and one less.
fn xiph_sizes(bytes: &[u8], count: usize) -> Option<LacedSizes> {
    let (mut sizes, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        let full = bytes.get(at..)?.iter().take_while(|&&byte| byte == 255).count();
        sizes.push(full * 255 + usize::from(*bytes.get(at + full)?));
        at += full + 1;
    }
    Some((sizes, at))
}

/// The first size as a number, the others as differences from the one before.
fn ebml_sizes(bytes: &[u8], count: usize) -> Option<LacedSizes> {
    let (mut sizes, mut at) = (Vec::new(), 0);
    for index in 0..count {
        let (value, length) = number(bytes.get(at..)?)?;
        at += length;
        let value = i64::try_from(value?).ok()?;
        let size = match sizes.last() {
            None if index == 0 => value,
            Some(&before) => {
                i64::checked_add(before, value)?.checked_sub((1 << (7 * length - 1)) - 1)?
            }
            None => return None,
        };
        sizes.push(size);
    }
    let sizes = sizes.into_iter().map(|size| usize::try_from(size).ok());
    Some((sizes.collect::<Option<_>>()?, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flags: u8, body: &[u8], expected: &[&[u8]]) {
        let content = [&[0x81, 0xff, 0xfe, flags], body].concat();
        let block = MatroskaBlock::parse(&content, false).unwrap();
        assert_eq!((block.track, block.time, block.padding), (1, -2, 0));
        assert_eq!(block.packets, expected);
    }

    #[test]
    fn packets_are_laced_in_three_ways() {
        check(0x80, &[1, 2, 3], &[&[1, 2, 3]]);
        check(0x02, &[2, 1, 2, 1, 2, 2, 3], &[&[1], &[2, 2], &[3]]);
        check(0x04, &[1, 1, 2, 3, 4], &[&[1, 2], &[3, 4]]);
        // A size of 2, a difference of -1, and the rest.
        check(0x06, &[2, 0x82, 0xbe, 1, 1, 2, 3, 3], &[&[1, 1], &[2], &[3, 3]]);
    }

    #[test]
    fn groups_state_padding() {
        let group = [0xa1, 0x85, 0x81, 0, 5, 0, 9, 0x75, 0xa2, 0x82, 0x01, 0x00];
        assert_eq!(MatroskaBlock::head_in_group(&group), Some((1, 5)));
        let block = MatroskaBlock::parse(&group, true).unwrap();
        assert_eq!((block.time, &block.packets[..], block.padding), (5, &[&[9_u8][..]][..], 256));
        assert_eq!(MatroskaBlock::parse(&group[..6], true), None);
    }
}
