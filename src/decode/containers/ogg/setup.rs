//! The Vorbis headers (Vorbis I specification, 4.2 and 3.2.1), as far as needed for the length of
//! packets and the size of the codebooks.

use symphonia::core::io::{BitReaderRtl, ReadBitsRtl};

use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// The parsed headers of a Vorbis stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VorbisSetup {
    pub(crate) channels: u32,
    pub(crate) rate: u32,
    /// Frames of a short and of a long window.
    windows: [u32; 2],
    /// Whether each mode has the long window.
    modes: Vec<bool>,
}

/// Why the headers are rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SetupError {
    /// They contradict the specification or end early.
    Broken,
    /// The codebooks hold more values than the limit.
    TooLarge,
}

impl SetupError {
    /// The error of the container in which the headers lie.
    pub(crate) fn in_container(self, container: Container, limit: u64) -> DecodeError {
        match self {
            SetupError::Broken => {
                DecodeError::Malformed { container, what: "the Vorbis headers cannot be read" }
            }
            SetupError::TooLarge => {
                DecodeError::TooLarge { container, what: "values in the Vorbis codebooks", limit }
            }
        }
    }
}

impl VorbisSetup {
    /// Parses the identification and the set-up header, each with its seven magic bytes.
    pub(crate) fn parse(
        identification: &[u8],
        setup: &[u8],
        codebook_values: u64,
    ) -> Result<VorbisSetup, SetupError> {
        let &[0, 0, 0, 0, channels, a, b, c, d, ref rest @ ..] =
            identification.strip_prefix(b"\x01vorbis").ok_or(SetupError::Broken)?
        else {
            return Err(SetupError::Broken);
        };
        let sizes = *rest.get(12).ok_or(SetupError::Broken)?;
        let windows = [sizes & 15, sizes >> 4].map(|exponent| 1 << exponent);
        let body = setup.strip_prefix(b"\x05vorbis").ok_or(SetupError::Broken)?;
        if count_values(body).ok_or(SetupError::Broken)? > codebook_values {
            return Err(SetupError::TooLarge);
        }
        let modes = read_modes(body).ok_or(SetupError::Broken)?;
        let rate = u32::from_le_bytes([a, b, c, d]);
        Ok(VorbisSetup { channels: channels.into(), rate, windows, modes })
    }

    /// Frames of a packet's window; `None` if it is not an audio packet.
    pub(crate) fn window(&self, packet: &[u8]) -> Option<u32> {
        let first = *packet.first()?;
        let mode_bits = usize::BITS - (self.modes.len() - 1).leading_zeros();
        let mode = usize::from(first >> 1) & ((1 << mode_bits) - 1);
        let is_long = *self.modes.get(mode)?;
        (first & 1 == 0).then_some(self.windows[usize::from(is_long)])
    }
}

/// Values that the codebooks expand to; `None` if they are cut or of an unknown kind.
fn count_values(body: &[u8]) -> Option<u64> {
    let mut bits = BitReaderRtl::new(body);
    let mut take = |count: u32| bits.read_bits_leq32(count).ok();
    let mut values = 0;
    for _ in 0..=take(8)? {
        if take(24)? != 0x56_4342 {
            return None;
        }
        let (dimensions, entries) = (take(16)?, take(24)?);
        if take(1)? == 1 {
            take(5)?;
            let mut entry = 0;
            while entry < entries {
                entry += take(32 - (entries - entry).leading_zeros())?;
            }
        } else if take(1)? == 1 {
            for _ in 0..entries {
                if take(1)? == 1 {
                    take(5)?;
                }
            }
        } else {
            for _ in 0..entries {
                take(5)?;
            }
        }
        values += u64::from(entries) * u64::from(dimensions.max(1));
        let multiplicands = match take(4)? {
            0 => continue,
            1 => lookup_values(entries, dimensions),
            2 => u64::from(entries) * u64::from(dimensions),
            _ => return None,
        };
        take(32)?;
        take(32)?;
        let width = take(4)? + 1;
        take(1)?;
        for _ in 0..multiplicands {
            take(width)?;
        }
    }
    Some(values)
}

/// The largest number whose `dimensions`th power is at most `entries`.
fn lookup_values(entries: u32, dimensions: u32) -> u64 {
    let entries = u64::from(entries);
    let fits = |value: u64| value.checked_pow(dimensions).is_some_and(|power| power <= entries);
    // From two dimensions on at most 4096, the square root of 2^24.
    if dimensions < 2 {
        return entries;
    }
    (1..=entries).take_while(|&value| fits(value)).count() as u64
}

/// Whether each mode has the long window. The modes are the last part of the header and are read
/// from its end, as FFmpeg and liboggz do, because the parts before them are long and varied. A mode
/// is one bit for the window, 16 zero bits for its type, 16 for the transform's type, and 8 bits of a
/// mapping below 64; 6 bits in front of the modes are their count.
fn read_modes(body: &[u8]) -> Option<Vec<bool>> {
    let bit = |at: usize| body[at / 8] >> (at % 8) & 1;
    let number = |at: usize, count: usize| {
        (0..count).fold(0_u32, |sum, i| sum | u32::from(bit(at + i)) << i)
    };
    // The framing bit is the last one set.
    let end = (0..body.len() * 8).rev().find(|&at| bit(at) == 1)?;
    let mut modes = Vec::new();
    let mut found = None;
    let mut at = end;
    while at >= 41 + 6 && modes.len() < 64 {
        at -= 41;
        if number(at + 1, 32) != 0 || number(at + 33, 8) > 63 {
            break;
        }
        modes.push(bit(at) == 1);
        // The longest match counts: shorter ones may agree by chance.
        if number(at - 6, 6) as usize + 1 == modes.len() {
            found = Some(modes.len());
        }
    }
    modes.truncate(found?);
    modes.reverse();
    Some(modes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lookup(entries: u32, dimensions: u32, expected: u64) {
        assert_eq!(lookup_values(entries, dimensions), expected);
    }

    #[test]
    fn lookup_tables_are_roots() {
        check_lookup(81, 4, 3);
        check_lookup(80, 4, 2);
        check_lookup(7, 1, 7);
        check_lookup(0, 2, 0);
        check_lookup(100_000, 65_535, 1);
    }

    /// Packs (number, width in bits) pairs, the lowest bit first.
    fn pack(numbers: &[(u64, usize)]) -> Vec<u8> {
        let bits: Vec<u8> = numbers
            .iter()
            .flat_map(|&(number, width)| (0..width).map(move |bit| (number >> bit & 1) as u8))
            .collect();
        let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn modes_are_found_from_the_end() {
        // Behind other data, two modes: a short window, and a long one with mapping 1.
        let body = pack(&[(0x3fff_ffff, 30), (1, 6), (0, 41), (1 | 1 << 33, 41), (1, 1)]);
        assert_eq!(read_modes(&body), Some(vec![false, true]));
        assert_eq!(read_modes(&[0; 32]), None);
        assert_eq!(read_modes(&[]), None);
    }

    #[test]
    fn huge_codebooks_are_rejected_before_they_are_expanded() {
        // 256 books of 131,072 entries of the same length in 32 dimensions, 12 bytes each.
        let book =
            [(0x56_4342, 24), (32, 16), (1 << 17, 24), (1, 1), (16, 5), (1 << 17, 18), (0, 4)];
        let books: Vec<(u64, usize)> = book.iter().copied().cycle().take(7 * 256).collect();
        let body = pack(&[&[(255, 8)], &books[..], &[(0, 6), (0, 41), (1, 1)]].concat());
        assert_eq!(count_values(&body), Some((256 * 32) << 17));
        let identification =
            [&b"\x01vorbis\0\0\0\0\x02\x44\xac\0\0"[..], &[0; 12], &[0xb8, 1]].concat();
        let setup = [&b"\x05vorbis"[..], &body].concat();
        let parse = |most| VorbisSetup::parse(&identification, &setup, most);
        assert_eq!(parse(1 << 22), Err(SetupError::TooLarge));
        assert_eq!(parse(1 << 40).map(|setup| setup.windows), Ok([256, 2048]));
    }
}
