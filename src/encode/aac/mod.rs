//! AAC of low complexity, encoded by FFmpeg where it is installed. It returns ADTS, which needs no file to seek in.

mod adts;

use std::io;

use super::encoder_process::EncoderProcess;
use crate::audio::Hertz;
use crate::process::{Ffmpeg, FfmpegCodec};

/// Frames of a packet.
pub(crate) const PACKET_FRAMES: u32 = 1024;

/// Frames that FFmpeg's encoder puts in front.
pub(crate) const DELAY_FRAMES: u32 = 1024;

/// Sample rates by index (ISO/IEC 14496-3, table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// The object type of low complexity.
const LOW_COMPLEXITY: u8 = 2;

/// Whether AAC has this sample rate.
pub(crate) fn has_rate(rate: Hertz) -> bool {
    RATES.contains(&rate.0)
}

/// Starts the encoder.
///
/// # Errors
/// FFmpeg does not start.
pub(super) fn start(
    ffmpeg: &Ffmpeg,
    rate: Hertz,
    channels: u8,
    kbits: u32,
) -> io::Result<EncoderProcess> {
    let codec = (FfmpegCodec::Aac, adts::read_packet as _);
    EncoderProcess::start(ffmpeg, codec, rate, channels, kbits)
}

/// The decoder's configuration (AudioSpecificConfig; ISO/IEC 14496-3, 1.6.2.1) of one of its rates.
pub(crate) fn config(rate: Hertz, channels: u8) -> [u8; 2] {
    let index = RATES.iter().position(|&known| known == rate.0).unwrap_or(0) as u8;
    [LOW_COMPLEXITY << 3 | index >> 1, index << 7 | channels << 3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_that_of_the_standard() {
        // As in every stereo file of these rates.
        assert_eq!(config(Hertz(44_100), 2), [0x12, 0x10]);
        assert_eq!(config(Hertz(48_000), 2), [0x11, 0x90]);
        assert_eq!(config(Hertz(44_100), 1), [0x12, 0x08]);
        assert!(has_rate(Hertz(96_000)) && !has_rate(Hertz(12_345)));
    }
}
