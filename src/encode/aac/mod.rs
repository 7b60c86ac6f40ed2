//! AAC of low complexity, encoded by FFmpeg where it is installed.
//!
//! FFmpeg gets PCM on its standard input and returns ADTS on its standard output, so that it needs no file: it runs confined,
//! as for decoding ([`process::ffmpeg`](crate::process::ffmpeg)).

mod adts;
mod process;

pub(crate) use process::AacProcess;

use std::io;

use crate::audio::{Hertz, Stereo};
use crate::process::Ffmpeg;

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

/// Encodes a moment of silence.
///
/// # Errors
/// FFmpeg does not start, or does not encode AAC.
pub(crate) fn probe(ffmpeg: &Ffmpeg) -> io::Result<()> {
    let mut process = AacProcess::start(ffmpeg, Hertz(44_100), 1, 128)?;
    process.write(&Stereo::zeros(PACKET_FRAMES as usize), |_| Ok(()))?;
    process.finish(|_| Ok(()))
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
