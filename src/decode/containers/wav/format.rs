//! The `fmt ` chunk of WAV: WAVEFORMATEX and WAVEFORMATEXTENSIBLE (Microsoft, `mmreg.h`).

use crate::audio::Hertz;
use crate::decode::codecs::pcm::{PcmFormat, SampleFormat};
use crate::decode::downmix::{ChannelLayout, MAX_CHANNELS};
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// Bytes of the chunk that are read.
pub(crate) const FORMAT_BYTES: u64 = 40;
/// Last bytes of the sub-format GUIDs of WAVEFORMATEXTENSIBLE.
const SUBFORMAT_TAIL: [u8; 14] = *b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";

const INTEGER: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// A parsed `fmt ` chunk.
pub(crate) struct WaveFormat {
    pub(crate) pcm: PcmFormat,
    pub(crate) rate: Hertz,
    pub(crate) layout: ChannelLayout,
}

impl WaveFormat {
    /// Parses the content of the chunk.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if it is too short, [`DecodeError::UnsupportedCodec`] with the name
    /// of any codec but PCM.
    pub(crate) fn parse(content: &[u8]) -> Result<WaveFormat, DecodeError> {
        let short = |at: usize| content.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let long = |at: usize| Some(u32::from(short(at)?) | u32::from(short(at + 2)?) << 16);
        let (Some(tag), Some(channels), Some(rate), Some(align), Some(bits)) =
            (short(0), short(2), long(4), short(12), short(14))
        else {
            let what = "its fmt chunk is too short";
            return Err(DecodeError::Malformed { container: Container::Wav, what });
        };
        let is_extended = tag == EXTENSIBLE && content.get(26..40) == Some(&SUBFORMAT_TAIL);
        let tag = if is_extended { short(24).unwrap_or(tag) } else { tag };
        let mask = if is_extended { long(20).unwrap_or(0) } else { 0 };
        if channels == 0 {
            return Err(DecodeError::UnsupportedChannels { channels: 0, max: MAX_CHANNELS });
        }
        // 20-bit samples are stored in 3 bytes: the width is that of the container.
        let width = match usize::from(align / channels) {
            width if width * 8 >= usize::from(bits) && align % channels == 0 => width,
            _ => usize::from(bits.div_ceil(8)),
        };
        let sample = match (tag, width) {
            (INTEGER, 1) => SampleFormat::Unsigned8,
            (INTEGER, 2..=4) => SampleFormat::Signed(width),
            (A_LAW, 1) => SampleFormat::ALaw,
            (MU_LAW, 1) => SampleFormat::MuLaw,
            (FLOAT, 4) => SampleFormat::Float32,
            (FLOAT, 8) => SampleFormat::Float64,
            _ => {
                let codec = name(tag, bits);
                return Err(DecodeError::UnsupportedCodec { container: Container::Wav, codec });
            }
        };
        let pcm = PcmFormat { sample, big_endian: false, channels: channels.into() };
        let layout = ChannelLayout::of_mask(mask, channels.into());
        Ok(WaveFormat { pcm, rate: Hertz(rate), layout })
    }
}

fn name(tag: u16, bits: u16) -> String {
    let name = match tag {
        INTEGER => return format!("integer PCM of {bits} bits"),
        FLOAT => return format!("floating-point PCM of {bits} bits"),
        2 => "Microsoft ADPCM",
        0x11 => "IMA ADPCM",
        0x31 => "GSM 6.10",
        0x50 => "MPEG Audio Layer II",
        0x55 => "MP3",
        0xff | 0x1600 | 0x1610 => "AAC",
        0x160..=0x163 => "Windows Media Audio",
        0x2000 => "AC-3",
        _ => return format!("format {tag:#06x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tag: u16, align: u16, bits: u16, expected: Result<SampleFormat, &str>) {
        let mut content = [tag, 2, 48_000, 0, 0, 0, align, bits, 22].map(u16::to_le_bytes).concat();
        content.extend([24, 0, 3, 0, 0, 0, 1, 0]);
        content.extend(SUBFORMAT_TAIL);
        let found = WaveFormat::parse(&content).map(|format| format.pcm.sample);
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn sample_width_is_container_width() {
        check(INTEGER, 2, 8, Ok(SampleFormat::Unsigned8));
        check(INTEGER, 4, 12, Ok(SampleFormat::Signed(2)));
        check(INTEGER, 6, 20, Ok(SampleFormat::Signed(3)));
        check(EXTENSIBLE, 8, 24, Ok(SampleFormat::Signed(4)));
        // An impossible alignment.
        check(INTEGER, 3, 16, Ok(SampleFormat::Signed(2)));
        check(FLOAT, 16, 64, Ok(SampleFormat::Float64));
        check(FLOAT, 4, 16, Err("floating-point PCM of 16 bits in WAV is not supported"));
        check(0x55, 1, 0, Err("MP3 in WAV is not supported"));
        check(0x1234, 1, 0, Err("format 0x1234 in WAV is not supported"));
    }
}
