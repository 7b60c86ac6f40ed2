//! AIFF and AIFF-C, uncompressed (Apple, *Audio Interchange File Format*, 1989 and 1991).
//!
//! A sound chunk of 0 bytes in a file of 0 frames extends to the end of the upload: programs write
//! this to pipes, where the length is not known.

use super::pcm::next_packet;
use crate::audio::Hertz;
use crate::decode::codecs::Codec;
use crate::decode::codecs::pcm::{PcmFormat, SampleFormat};
use crate::decode::demux::{DemuxEvent, Demuxer, Link};
use crate::decode::downmix::{ChannelLayout, MAX_CHANNELS};
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::{AudioTrack, Container, DecodeReport};

/// Demuxer of an AIFF file.
pub(crate) struct AiffDemuxer {
    link: Option<Link>,
    pcm: PcmFormat,
    /// Bytes of samples that remain, if known.
    left: Option<u64>,
}

/// The COMM chunk.
struct CommonChunk {
    pcm: PcmFormat,
    rate: Hertz,
    frames: u64,
}

impl AiffDemuxer {
    /// Reads the headers; the position must be at the magic bytes and is then at the samples.
    pub(crate) fn open(bytes: &mut ByteReader) -> Result<AiffDemuxer, DecodeError> {
        bytes.skip(12);
        // The chunks may come in either order.
        let (mut common, mut sound) = (None, None);
        while common.is_none() || sound.is_none() {
            let (Some(id), Some(size)) = (bytes.array::<4>()?, bytes.array::<4>()?) else {
                let what =
                    if common.is_none() { "it has no COMM chunk" } else { "it has no SSND chunk" };
                return Err(malformed(what));
            };
            let (size, start) = (u64::from(u32::from_be_bytes(size)), bytes.position());
            match &id {
                b"COMM" => common = Some(read_common(size, bytes)?),
                b"SSND" => {
                    let offset = bytes.array::<4>()?.map_or(0, u32::from_be_bytes);
                    let samples = start + 8 + u64::from(offset);
                    sound = Some((samples, size.saturating_sub(8 + u64::from(offset)), size));
                }
                _ => {}
            }
            bytes.seek(start + size + size % 2);
        }
        let (Some(common), Some((start, held, size))) = (common, sound) else {
            return Err(malformed("it has no SSND chunk"));
        };
        let CommonChunk { pcm, rate, frames } = common;
        let stated = frames * pcm.frame_bytes() as u64;
        let left = match (size, frames) {
            (0 | 8 | 0xffff_ffff, 0) => None,
            (0 | 0xffff_ffff, _) => Some(stated),
            (_, 0) => Some(held),
            _ => Some(held.min(stated)),
        };
        bytes.seek(start);
        let layout = ChannelLayout::of_count(pcm.channels as u32);
        let link = Link {
            container: Container::Aiff,
            codec: Codec::Pcm { pcm, layout },
            rate,
            frames: left.map(|left| left / pcm.frame_bytes() as u64),
            track: AudioTrack::ONLY,
        };
        Ok(AiffDemuxer { link: Some(link), pcm, left })
    }
}

impl Demuxer for AiffDemuxer {
    fn next(
        &mut self,
        bytes: &mut ByteReader,
        report: &mut DecodeReport,
    ) -> Result<Option<DemuxEvent>, DecodeError> {
        if let Some(link) = self.link.take() {
            return Ok(Some(DemuxEvent::Link(link)));
        }
        Ok(next_packet(self.pcm, &mut self.left, bytes, report)?.map(DemuxEvent::Packet))
    }
}

fn read_common(size: u64, bytes: &mut ByteReader) -> Result<CommonChunk, DecodeError> {
    let body = bytes.take(size.min(22) as usize)?;
    let Some((head, compression)) = body.split_at_checked(18) else {
        return Err(malformed("its COMM chunk is too short"));
    };
    let channels = u16::from_be_bytes([head[0], head[1]]);
    let frames = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
    let width = usize::from(u16::from_be_bytes([head[6], head[7]]).div_ceil(8));
    if channels == 0 {
        return Err(DecodeError::UnsupportedChannels { channels: 0, max: MAX_CHANNELS });
    }
    // AIFF, unlike AIFF-C, has no compression type.
    let (sample, big_endian) = match (compression, width) {
        (b"" | b"NONE" | b"twos", 1..=4) => (SampleFormat::Signed(width), true),
        (b"sowt", 1..=4) => (SampleFormat::Signed(width), false),
        (b"in24", _) => (SampleFormat::Signed(3), true),
        (b"in32", _) => (SampleFormat::Signed(4), true),
        (b"ulaw" | b"ULAW", _) => (SampleFormat::MuLaw, true),
        (b"alaw" | b"ALAW", _) => (SampleFormat::ALaw, true),
        (b"raw ", 1) => (SampleFormat::Unsigned8, true),
        (b"fl32" | b"FL32", _) => (SampleFormat::Float32, true),
        (b"fl64" | b"FL64", _) => (SampleFormat::Float64, true),
        (b"" | b"NONE" | b"twos" | b"sowt" | b"raw ", _) => {
            let codec = format!("PCM of {} bits", width * 8);
            return Err(DecodeError::UnsupportedCodec { container: Container::Aiff, codec });
        }
        (name, _) => {
            let codec = format!("the compression {:?}", String::from_utf8_lossy(name));
            return Err(DecodeError::UnsupportedCodec { container: Container::Aiff, codec });
        }
    };
    let rate = Hertz(read_extended([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|i| head[8 + i])));
    let pcm = PcmFormat { sample, big_endian, channels: channels.into() };
    Ok(CommonChunk { pcm, rate, frames: frames.into() })
}

/// A rate in Hz from an 80-bit IEEE 754 extended number, rounded; 0 if out of range.
fn read_extended(bytes: [u8; 10]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([bytes[0], bytes[1]]) & 0x7fff);
    let mantissa = bytes[2..].iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    // The binary point is behind the first of 64 bits, and the exponent is biased by 16383.
    match 16_383 + 63 - exponent {
        shift @ 1..=63 => {
            let rounded = (mantissa >> (shift - 1)).div_ceil(2);
            u32::try_from(rounded).unwrap_or(0)
        }
        _ => 0,
    }
}

fn malformed(what: &'static str) -> DecodeError {
    DecodeError::Malformed { container: Container::Aiff, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: [u8; 10], rate: u32) {
        assert_eq!(read_extended(bytes), rate);
    }

    #[test]
    fn rates_have_80_bits() {
        check([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0], 44_100);
        check([0x40, 0x10, 0xbb, 0x80, 0, 0, 0, 0, 0, 0], 192_000);
        check([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0], 8_000);
        check([0x7f, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0], 0);
        check([0; 10], 0);
    }
}
