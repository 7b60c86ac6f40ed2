//! The link that is being decoded, and the sound that comes of its packets.

use std::ops::Range;

use super::error::DecodeError;
use super::limits::Limits;
use super::packet::Link;
use crate::audio::Hertz;
use crate::decode::codecs::PacketDecoder;
use crate::decode::downmix::Mix;

/// Beyond this, 240 dB over full scale, a sample is no sound but a broken file.
const WILDEST: f32 = 1e12;

/// The link that is being decoded.
pub(super) struct Current {
    pub(super) decoder: PacketDecoder,
    pub(super) mix: Mix,
    pub(super) rate: Hertz,
    /// Frames that its header promised.
    pub(super) promised: Option<u64>,
    /// Frames handed out so far.
    pub(super) heard: u64,
}

impl Current {
    /// Checks what the header says before anything is paid for it.
    pub(super) fn begin(link: Link, limits: &Limits) -> Result<Current, DecodeError> {
        let Link { container, codec, rate, frames: promised } = link;
        let (name, channels) = (codec.name(), codec.channels());
        if !rate.is_supported() {
            return Err(DecodeError::UnsupportedRate { rate });
        }
        if !(1..=limits.channels).contains(&channels) {
            return Err(DecodeError::UnsupportedChannels { channels, most: limits.channels });
        }
        let mix = codec.mix();
        let decoder = PacketDecoder::new(codec).map_err(|reason| {
            DecodeError::UnsupportedCodec { container, codec: format!("{name} ({reason})") }
        })?;
        Ok(Current { decoder, mix, rate, promised, heard: 0 })
    }
}

/// Makes silence of samples that are no numbers, or none that sound has, and counts them.
pub(super) fn silence_wild(planes: &mut [Vec<f32>], heard: &Range<usize>) -> u64 {
    let mut wild = 0;
    for plane in planes {
        for sample in plane.iter_mut().take(heard.end).skip(heard.start) {
            // Also true for a NaN, which is not in any range.
            if !(-WILDEST..=WILDEST).contains(sample) {
                *sample = 0.0;
                wild += 1;
            }
        }
    }
    wild
}
