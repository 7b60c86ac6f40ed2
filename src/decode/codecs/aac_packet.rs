//! What is in an AAC packet, as far as can be told without decoding it (ISO/IEC 14496-3, 4.4.2.1).

use symphonia::core::io::{BitReaderLtr, ReadBitsLtr};

/// Elements that are no channel: data, and filling.
const DATA_STREAM: u32 = 4;
const FILL: u32 = 6;
const END: u32 = 7;

/// Whether a packet holds a channel at all. Symphonia 0.6.1 decodes one that does not to whatever
/// the packet before has left behind.
pub(crate) fn has_channel(packet: &[u8]) -> bool {
    first_element(packet).is_some_and(|element| element != END)
}

/// The first element but data and filling, which may stand before it; `None` if the packet ends
/// there.
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
    fn data_and_filling_are_no_channel() {
        check(&[0b0010_0000], Some(1));
        check(&[0b1110_0000], Some(7));
        check(&[], None);
        // Filling of one byte, then a single channel, the end, or nothing.
        check(&[0b1100_0010, 0, 0b0000_0000], Some(0));
        check(&[0b1100_0010, 1, 0b1100_0000], Some(7));
        check(&[0b1100_0010, 0], None);
        // Fifteen bytes of filling, counted the long way, and a pair of channels.
        check(&[&[0b1101_1110, 0b0000_0010][..], &[0; 15], &[0b0100_0000]].concat(), Some(1));
        // Two bytes of data, aligned.
        check(&[0b1000_0001, 0b0000_0010, 9, 9, 0b0010_0000], Some(1));
        check(&[0b1000_0001, 0b0000_0010, 9], None);
    }
}
