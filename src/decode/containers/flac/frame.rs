//! The headers of FLAC (RFC 9639): STREAMINFO and frame headers.

use symphonia::core::checksum::{Crc8Ccitt, Crc16Ansi};
use symphonia::core::io::Monitor;

use crate::decode::codecs::Codec;
use crate::decode::downmix::ChannelLayout;
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// Bytes of a STREAMINFO block.
pub(crate) const STREAM_INFO_BYTES: usize = 34;
/// The longest frame header: 2 bytes of sync, 2 of codes, 7 of number, 2 of size, 2 of rate, a CRC.
pub(crate) const MAX_HEADER_BYTES: usize = 16;
/// The widest supported samples. Symphonia 0.6.1 computes in 32 bits: wider samples panic in the
/// channel difference, or overflow in the prediction, which is noise without an error.
const MAX_BITS: u32 = 24;

/// A parsed STREAMINFO block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// The block as stored, for the codec.
    bytes: Vec<u8>,
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    /// Length in frames; `None` if the header does not state it.
    pub(crate) frames: Option<u64>,
    max_block: u32,
    bits: u32,
}

/// Position and length of a FLAC frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// First audio frame of the stream that it holds.
    pub(crate) position: u64,
    /// Audio frames that it holds.
    pub(crate) frames: u32,
}

/// The channel layout from the comments, which may name it as
/// `WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x...` (RFC 9639, 8.6.2), else the default layout.
pub(crate) fn layout(comments: &[u8], channels: u32) -> ChannelLayout {
    const KEY: &[u8] = b"waveformatextensible_channel_mask=0x";
    let found = comments.windows(KEY.len()).position(|key| key.eq_ignore_ascii_case(KEY));
    let digits = found.map_or(&[][..], |at| &comments[at + KEY.len()..]);
    let digits = digits.iter().map_while(|&digit| char::from(digit).to_digit(16)).take(8);
    ChannelLayout::of_mask(digits.fold(0, |mask, digit| mask << 4 | digit), channels)
}

impl StreamInfo {
    /// The codec of this stream.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedCodec`] if its samples have more than [`MAX_BITS`] bits.
    pub(crate) fn codec(
        &self,
        container: Container,
        layout: ChannelLayout,
    ) -> Result<Codec, DecodeError> {
        if self.bits > MAX_BITS {
            let codec = format!("FLAC of {} bits a sample (beyond {MAX_BITS})", self.bits);
            return Err(DecodeError::UnsupportedCodec { container, codec });
        }
        let stream_info = self.bytes.clone();
        Ok(Codec::Flac { stream_info, channels: self.channels, layout })
    }

    /// Parses the body of the block; `None` if it is too short or its block sizes are invalid.
    pub(crate) fn parse(bytes: &[u8]) -> Option<StreamInfo> {
        let block: &[u8; STREAM_INFO_BYTES] = bytes.first_chunk()?;
        let short = |at: usize| u32::from(u16::from_be_bytes([block[at], block[at + 1]]));
        // 20 bits of sample rate, 3 of channels, 5 of sample width, 36 of length.
        let packed = block[10..18].iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        let frames = packed & 0xf_ffff_ffff;
        let info = StreamInfo {
            bytes: block.to_vec(),
            rate: (packed >> 44) as u32,
            channels: (packed >> 41 & 7) as u32 + 1,
            frames: (frames > 0).then_some(frames),
            max_block: short(2),
            bits: (packed >> 36 & 31) as u32 + 1,
        };
        (short(0) >= 16 && short(2) >= short(0)).then_some(info)
    }

    /// Upper bound of the bytes of a frame: uncompressed samples, headers, and a margin for
    /// encoders that exceed it.
    pub(crate) fn max_frame_bytes(&self) -> usize {
        let samples = self.max_block as usize * self.channels as usize;
        samples * (self.bits as usize + 1).div_ceil(8) + 1024
    }

    /// Parses a frame header; `None` if its checksum is wrong or it does not fit this stream.
    pub(crate) fn frame(&self, bytes: &[u8]) -> Option<FrameHeader> {
        let &[0xff, sync @ (0xf8 | 0xf9), sizes, kinds, ref rest @ ..] = bytes else {
            return None;
        };
        let (number, mut at) = read_number(rest)?;
        let mut tail = |count: usize| {
            let value = rest.get(at..at + count)?.iter().fold(0, |v, &b| v << 8 | u32::from(b));
            at += count;
            Some(value)
        };
        let frames = match sizes >> 4 {
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => tail(1)? + 1,
            7 => tail(2)? + 1,
            code @ 8.. => 256 << (code - 8),
            0 => return None,
        };
        let rate = match sizes & 15 {
            0 => self.rate,
            code @ 1..=11 => RATES[usize::from(code) - 1],
            12 => tail(1)? * 1000,
            13 => tail(2)?,
            14 => tail(2)? * 10,
            _ => return None,
        };
        let channels = match kinds >> 4 {
            code @ 0..=7 => u32::from(code) + 1,
            8..=10 => 2,
            _ => return None,
        };
        let bits = match kinds >> 1 & 7 {
            0 => self.bits,
            3 => return None,
            code => [8, 12, 0, 16, 20, 24, 32][usize::from(code) - 1],
        };
        let mut crc = Crc8Ccitt::new(0);
        crc.process_buf_bytes(&bytes[..4 + at]);
        let fits = rate == self.rate && channels == self.channels && bits == self.bits;
        if kinds & 1 != 0 || !fits || frames > self.max_block || rest.get(at) != Some(&crc.crc()) {
            return None;
        }
        // With a fixed block size the number counts FLAC frames, else audio frames.
        let scale = if sync == 0xf9 { 1 } else { u64::from(self.max_block) };
        Some(FrameHeader { position: number * scale, frames })
    }
}

/// Whether the checksum at the end of a frame is right. MP4 has no checksums, and those of Ogg pages
/// do not cover damage from before the muxing.
pub(crate) fn is_whole(frame: &[u8]) -> bool {
    let mut crc = Crc16Ansi::new(0);
    // The CRC over a whole frame including its CRC is 0.
    crc.process_buf_bytes(frame);
    crc.crc() == 0
}

/// Sample rates in Hz by code, which counts from 1.
const RATES: [u32; 11] =
    [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

/// A number of up to 36 bits in the coding of UTF-8, and the count of its bytes.
fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = match first.leading_ones() {
        0 => return Some((first.into(), 1)),
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let begun = u64::from(first) & (0x7f >> length);
    let number = bytes.get(1..length)?.iter().try_fold(begun, |sum, &byte| {
        (byte >> 6 == 2).then_some(sum << 6 | u64::from(byte & 0x3f))
    })?;
    Some((number, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_may_state_the_channel_layout() {
        let comments = b"....WaveFormatExtensible_Channel_Mask=0x107....";
        assert_eq!(layout(comments, 4), ChannelLayout::of_mask(0x107, 4));
        assert_eq!(layout(comments, 3), ChannelLayout::of_count(3));
        assert_eq!(layout(b"", 4), ChannelLayout::of_count(4));
    }

    #[track_caller]
    fn check_number(bytes: &[u8], expected: Option<(u64, usize)>) {
        assert_eq!(read_number(bytes), expected);
    }

    #[test]
    fn numbers_are_coded_as_utf_8() {
        check_number(&[0x24], Some((36, 1)));
        check_number("é".as_bytes(), Some((0xe9, 2)));
        check_number("€".as_bytes(), Some((0x20ac, 3)));
        check_number(&[0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf], Some((0xf_ffff_ffff, 7)));
        check_number(&[0x80], None);
        check_number(&[0xff], None);
        check_number(&[0xc3, 0x29], None);
        check_number(&[0xc3], None);
    }
}
