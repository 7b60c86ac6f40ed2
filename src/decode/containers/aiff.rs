//! AIFF and AIFF-C, uncompressed (Apple, *Audio Interchange File Format*, 1989 and 1991).
//!
//! A sound chunk of no bytes, in a file of no frames, means "to the end of the upload": that is what
//! is written to pipes.

use crate::audio::Hertz;
use crate::decode::bytes::Bytes;
use crate::decode::codecs::Codec;
use crate::decode::codecs::linear::{Linear, Sample};
use crate::decode::downmix::{Layout, MOST_CHANNELS};
use crate::decode::error::DecodeError;
use crate::decode::packet::{Demux, Event, Link};
use crate::decode::report::{Container, Report};

/// An AIFF file.
pub(crate) struct Aiff {
    link: Option<Link>,
    linear: Linear,
    /// Bytes of samples to come, if that is known.
    left: Option<u64>,
}

/// What the COMM chunk says.
struct Common {
    linear: Linear,
    rate: Hertz,
    frames: u64,
}

impl Aiff {
    /// Reads headers up to the samples; the position is at the magic bytes.
    pub(crate) fn open(bytes: &mut Bytes) -> Result<Aiff, DecodeError> {
        bytes.skip(12);
        // The sound may come first: then what describes it is looked for behind it.
        let (mut common, mut sound) = (None, None);
        while common.is_none() || sound.is_none() {
            let (Some(id), Some(size)) = (bytes.array::<4>()?, bytes.array::<4>()?) else {
                let what = if common.is_none() { "it has no COMM chunk" } else { "it has no SSND" };
                return Err(broken(what));
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
            return Err(broken("it has no sound"));
        };
        let Common { linear, rate, frames } = common;
        let claimed = frames * linear.frame_bytes() as u64;
        let left = match (size, frames) {
            (0 | 8 | 0xffff_ffff, 0) => None,
            (0 | 0xffff_ffff, _) => Some(claimed),
            (_, 0) => Some(held),
            _ => Some(held.min(claimed)),
        };
        bytes.seek(start);
        let layout = Layout::of_count(linear.channels as u32);
        let link = Link {
            container: Container::Aiff,
            codec: Codec::Pcm { linear, layout },
            rate,
            frames: left.map(|left| left / linear.frame_bytes() as u64),
        };
        Ok(Aiff { link: Some(link), linear, left })
    }
}

impl Demux for Aiff {
    fn next(
        &mut self,
        bytes: &mut Bytes,
        report: &mut Report,
    ) -> Result<Option<Event>, DecodeError> {
        if let Some(link) = self.link.take() {
            return Ok(Some(Event::Link(link)));
        }
        Ok(self.linear.packet(&mut self.left, bytes, report)?.map(Event::Packet))
    }
}

fn read_common(size: u64, bytes: &mut Bytes) -> Result<Common, DecodeError> {
    let body = bytes.take(size.min(22) as usize)?;
    let Some((head, compression)) = body.split_at_checked(18) else {
        return Err(broken("its COMM chunk is too short"));
    };
    let channels = u16::from_be_bytes([head[0], head[1]]);
    let frames = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
    let width = usize::from(u16::from_be_bytes([head[6], head[7]]).div_ceil(8));
    if channels == 0 {
        return Err(DecodeError::UnsupportedChannels { channels: 0, most: MOST_CHANNELS });
    }
    // Plain AIFF has no compression type.
    let (sample, big_endian) = match (compression, width) {
        (b"" | b"NONE" | b"twos", 1..=4) => (Sample::Signed(width), true),
        (b"sowt", 1..=4) => (Sample::Signed(width), false),
        (b"in24", _) => (Sample::Signed(3), true),
        (b"in32", _) => (Sample::Signed(4), true),
        (b"raw ", 1) => (Sample::Unsigned8, true),
        (b"fl32" | b"FL32", _) => (Sample::Float32, true),
        (b"fl64" | b"FL64", _) => (Sample::Float64, true),
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
    let linear = Linear { sample, big_endian, channels: channels.into() };
    Ok(Common { linear, rate, frames: frames.into() })
}

/// A rate in the 80-bit extended format of the 68881, rounded; 0 where it is out of range.
fn read_extended(bytes: [u8; 10]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([bytes[0], bytes[1]]) & 0x7fff);
    let mantissa = bytes[2..].iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    // The point is behind the first of 64 bits, and the exponent is biased by 16383.
    match 16_383 + 63 - exponent {
        shift @ 1..=63 => {
            let rounded = (mantissa >> (shift - 1)).div_ceil(2);
            u32::try_from(rounded).unwrap_or(0)
        }
        _ => 0,
    }
}

fn broken(what: &'static str) -> DecodeError {
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
