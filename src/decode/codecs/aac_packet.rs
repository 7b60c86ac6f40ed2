//! The elements of an AAC packet, without decoding it (ISO/IEC 14496-3, 4.4.2.1).

use symphonia::core::io::{BitReaderLtr, ReadBitsLtr};

/// Identifiers of elements without audio: data, fill, end.
const DATA_STREAM: u32 = 4;
const FILL: u32 = 6;
const END: u32 = 7;

/// Whether a packet holds at least one channel. Symphonia 0.6.1 decodes a packet without one to what
/// the previous packet has left in its buffers.
pub(crate) fn has_channel(packet: &[u8]) -> bool {
    first_element(packet).is_some_and(|element| element != END)
}

/// Whether a packet ends with a fill element of spectral band replication (ISO/IEC 14496-3, 4.4.2.7).
/// The elements in front of it are not decoded: a fill element of the right length before the end of
/// the packet is taken for one, which happens by chance in few packets.
pub(crate) fn has_band_replication(packet: &[u8]) -> bool {
    let bit = |at: usize| usize::from(packet[at / 8] >> (7 - at % 8) & 1);
    let number = |at: usize, count: usize| (at..at + count).fold(0, |sum, at| sum << 1 | bit(at));
    let bits = packet.len() * 8;
    (0..bits.saturating_sub(3 + 4 + 4)).any(|at| {
        if number(at, 3) != FILL as usize {
            return false;
        }
        let (start, count) = match number(at + 3, 4) {
            15 if at + 15 + 4 <= bits => (at + 15, 14 + number(at + 7, 8)),
            15 => return false,
            count => (at + 7, count),
        };
        let end = start + 8 * count;
        // The end element is the last one, in the last byte.
        let is_last = end + 3 <= bits && bits - (end + 3) < 8 && number(end, 3) == END as usize;
        is_last && count > 0 && matches!(number(start, 4), 13 | 14)
    })
}

/// The first element that is neither data nor fill; `None` if the packet ends before it.
fn first_element(packet: &[u8]) -> Option<u32> {
    let mut bits = BitReaderLtr::new(packet);
    loop {
        let count = match bits.read_bits_leq32(3).ok()? {
            DATA_STREAM => {
                bits.read_bits_leq32(4).ok()?;
                let is_aligned = bits.read_bits_leq32(1).ok()? == 1;
                let count = match bits.read_bits_leq32(8).ok()? {
                    255 => 255 + bits.read_bits_leq32(8).ok()?,
                    count => count,
                };
                if is_aligned {
                    bits.realign();
                }
                count
            }
            FILL => match bits.read_bits_leq32(4).ok()? {
                15 => 14 + bits.read_bits_leq32(8).ok()?,
                count => count,
            },
            element => return Some(element),
        };
        bits.ignore_bits(8 * count).ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(packet: &[u8], expected: Option<u32>) {
        assert_eq!(first_element(packet), expected);
        assert_eq!(has_channel(packet), expected.is_some_and(|element| element < END));
    }

    #[test]
    fn data_and_fill_elements_are_not_channels() {
        check(&[0b0010_0000], Some(1));
        check(&[0b1110_0000], Some(7));
        check(&[], None);
        // A fill element of one byte, then a single channel, the end, or nothing.
        check(&[0b1100_0010, 0, 0b0000_0000], Some(0));
        check(&[0b1100_0010, 1, 0b1100_0000], Some(7));
        check(&[0b1100_0010, 0], None);
        // A fill element of 15 bytes with an escaped count, and a channel pair.
        check(&[&[0b1101_1110, 0b0000_0010][..], &[0; 15], &[0b0100_0000]].concat(), Some(1));
        // Two bytes of data, aligned.
        check(&[0b1000_0001, 0b0000_0010, 9, 9, 0b0010_0000], Some(1));
        check(&[0b1000_0001, 0b0000_0010, 9], None);
    }
}
