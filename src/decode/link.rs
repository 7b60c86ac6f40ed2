//! Decodes the packets of one link to stereo.

use std::ops::Range;

use super::codecs::{Damaged, PacketDecoder};
use super::demux::{Link, Packet};
use super::downmix::Downmix;
use super::error::DecodeError;
use super::limits::DecodeLimits;
use super::report::DecodeReport;
use crate::audio::{Frames, Hertz, Stereo};

/// Larger samples, 240 dB above full scale, come from broken files only.
const MAX_MAGNITUDE: f32 = 1e12;

/// Decoder and state of one link.
pub(super) struct LinkDecoder {
    decoder: PacketDecoder,
    downmix: Downmix,
    /// One plane per channel, reused for each packet.
    planes: Vec<Vec<f32>>,
    pub(super) rate: Hertz,
    /// Length in frames that the headers state.
    pub(super) stated_frames: Option<u64>,
    /// Frames returned so far.
    pub(super) returned_frames: u64,
}

/// The audio of one packet.
pub(super) struct Decoded {
    /// The frames of the packet that are kept; silence where it could not be decoded.
    pub(super) audio: Stereo,
    /// At least one of them was decoded.
    pub(super) has_audio: bool,
}

impl LinkDecoder {
    /// Checks rate and channels against the limits before it creates the decoder.
    pub(super) fn open(link: Link, limits: &DecodeLimits) -> Result<LinkDecoder, DecodeError> {
        let Link { container, codec, rate, frames: stated_frames, track: _ } = link;
        let (name, channels) = (codec.name(), codec.channels());
        if !rate.is_supported() {
            return Err(DecodeError::UnsupportedRate { rate });
        }
        if !(1..=limits.channels).contains(&channels) {
            return Err(DecodeError::UnsupportedChannels { channels, max: limits.channels });
        }
        let downmix = codec.downmix();
        let decoder = PacketDecoder::new(codec).map_err(|reason| {
            DecodeError::UnsupportedCodec { container, codec: format!("{name} ({reason})") }
        })?;
        let planes = Vec::new();
        Ok(LinkDecoder { decoder, downmix, planes, rate, stated_frames, returned_frames: 0 })
    }

    /// Decodes a packet and counts it in `report`. A damaged packet becomes silence of its length.
    pub(super) fn decode(&mut self, packet: &Packet, report: &mut DecodeReport) -> Decoded {
        let kept = packet.kept.start as usize..packet.kept.end as usize;
        let decoded = if packet.damaged {
            Err(Damaged)
        } else {
            self.decoder.decode(&packet.bytes, packet.frames, &mut self.planes)
        };
        if decoded.is_err() {
            self.planes.iter_mut().for_each(Vec::clear);
        }
        let held = self.planes.first().map_or(0, Vec::len);
        if decoded.is_err() || held < kept.end {
            self.decoder.reset();
            report.damaged_packets += 1;
            let missing = kept.end - held.clamp(kept.start, kept.end);
            report.silenced_frames += Frames::from_len(missing);
        } else {
            report.packets += 1;
        }
        let has_audio = held > kept.start && !kept.is_empty();
        report.invalid_samples += silence_invalid(&mut self.planes, &kept);
        Decoded { audio: self.downmix.stereo(&self.planes, kept), has_audio }
    }

    /// Discards the codec's state: the next packet does not follow the last one.
    pub(super) fn reset(&mut self) {
        self.decoder.reset();
    }
}

/// Replaces NaN, infinite and absurdly large samples of the kept frames by silence; returns how
/// many.
fn silence_invalid(planes: &mut [Vec<f32>], kept: &Range<usize>) -> u64 {
    let mut invalid = 0;
    for plane in planes {
        for sample in plane.iter_mut().take(kept.end).skip(kept.start) {
            // Also true for a NaN, which is not in any range.
            if !(-MAX_MAGNITUDE..=MAX_MAGNITUDE).contains(sample) {
                *sample = 0.0;
                invalid += 1;
            }
        }
    }
    invalid
}
