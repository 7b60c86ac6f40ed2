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
