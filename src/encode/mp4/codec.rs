//! Sample entries: the codec of a track and its parameters (ISO/IEC 14496-12, 12.2; -14, 6.7).

use super::boxes::{boxed, full_box};
use crate::audio::Hertz;
use crate::encode::aac;
use crate::encode::alac::{self, AlacDepth};

/// The codec of a track.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TrackCodec {
    Alac(AlacDepth),
    /// AAC of low complexity.
    Aac,
}

/// What a decoder may know of packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketRate {
    /// Bytes of the largest packet.
    pub(super) largest: u32,
    /// Bits per second.
    pub(super) bit_rate: u32,
}

impl TrackCodec {
    /// Frames of every packet but the last.
    pub(super) const fn packet_frames(self) -> u32 {
        match self {
            TrackCodec::Alac(_) => alac::PACKET_FRAMES as u32,
            TrackCodec::Aac => aac::PACKET_FRAMES,
        }
    }

    /// Frames that the encoder puts in front.
    pub(super) const fn delay(self) -> u32 {
        match self {
            TrackCodec::Alac(_) => 0,
            TrackCodec::Aac => aac::DELAY_FRAMES,
        }
    }

    /// The sample entry.
    pub(super) fn entry(self, rate: Hertz, channels: u8, packets: PacketRate) -> Vec<u8> {
        let (kind, bits, parameters) = match self {
            TrackCodec::Alac(depth) => {
                let PacketRate { largest, bit_rate } = packets;
                let config = depth.config(rate, channels, largest, bit_rate);
                (b"alac", depth.bits() as u8, full_box(b"alac", 0, 0, &[&config]))
            }
            TrackCodec::Aac => {
                (b"mp4a", 16, full_box(b"esds", 0, 0, &[&descriptor(rate, channels, packets)]))
            }
        };
        // Rates that do not fit are in the parameters only.
        let [high, low] = u16::try_from(rate.0).unwrap_or(0).to_be_bytes();
        let fields = [0, channels, 0, bits, 0, 0, 0, 0, high, low, 0, 0];
        // Reserved, and the reference to this file; reserved.
        boxed(kind, &[&[0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], &fields, &parameters])
    }
}

/// The elementary stream descriptor of AAC (ISO/IEC 14496-1, 7.2.6).
fn descriptor(rate: Hertz, channels: u8, packets: PacketRate) -> Vec<u8> {
    let tagged = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        // All are shorter than 128 bytes.
        [&[tag, content.len() as u8], &content[..]].concat()
    };
    let config = tagged(5, &[&aac::config(rate, channels)]);
    let bit_rate = packets.bit_rate.to_be_bytes();
    // MPEG-4 audio; an audio stream; the buffer of a decoder, in bytes.
    let [_, buffer @ ..] = packets.largest.to_be_bytes();
    let decoder = tagged(4, &[&[0x40, 0x15], &buffer, &bit_rate, &bit_rate, &config]);
    // Number of the stream, and no flags. Predefined for MP4: 2.
    tagged(3, &[&[0, 0, 0], &decoder, &tagged(6, &[&[2]])])
}
