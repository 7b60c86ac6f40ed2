//! The `fmt ` chunk of WAV: WAVEFORMATEX and WAVEFORMATEXTENSIBLE (Microsoft, `mmreg.h`).

use crate::audio::Hertz;
use crate::decode::codecs::linear::{Linear, Sample};
use crate::decode::downmix::{Layout, MOST_CHANNELS};
use crate::decode::error::DecodeError;
use crate::decode::report::Container;

/// Bytes of the chunk that matter.
pub(crate) const FORMAT_BYTES: u64 = 40;
/// What the sub-format GUIDs of the extensible format end with.
const SUBFORMAT_TAIL: [u8; 14] = *b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";

const INTEGER: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// What the chunk says.
pub(crate) struct WaveFormat {
    pub(crate) linear: Linear,
    pub(crate) rate: Hertz,
    pub(crate) layout: Layout,
}

impl WaveFormat {
    /// Parses the content of the chunk.
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
            return Err(DecodeError::UnsupportedChannels { channels: 0, most: MOST_CHANNELS });
        }
        // Samples of 20 bits lie in 3 bytes: the width that counts is that of the container.
        let width = match usize::from(align / channels) {
            width if width * 8 >= usize::from(bits) && align % channels == 0 => width,
            _ => usize::from(bits.div_ceil(8)),
        };
        let sample = match (tag, width) {
            (INTEGER, 1) => Sample::Unsigned8,
            (INTEGER, 2..=4) => Sample::Signed(width),
            (FLOAT, 4) => Sample::Float32,
            (FLOAT, 8) => Sample::Float64,
            _ => {
                let codec = name(tag, bits);
                return Err(DecodeError::UnsupportedCodec { container: Container::Wav, codec });
            }
        };
        let linear = Linear { sample, big_endian: false, channels: channels.into() };
        let layout = Layout::of_mask(mask, channels.into());
        Ok(WaveFormat { linear, rate: Hertz(rate), layout })
    }
}

fn name(tag: u16, bits: u16) -> String {
    let name = match tag {
        INTEGER => return format!("integer PCM of {bits} bits"),
        FLOAT => return format!("floating-point PCM of {bits} bits"),
        2 => "Microsoft ADPCM",
        6 => "A-law",
        7 => "µ-law",
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
    fn check(tag: u16, align: u16, bits: u16, expected: Result<Sample, &str>) {
        let mut content = [tag, 2, 48_000, 0, 0, 0, align, bits, 22].map(u16::to_le_bytes).concat();
        content.extend([24, 0, 3, 0, 0, 0, 1, 0]);
        content.extend(SUBFORMAT_TAIL);
        let found = WaveFormat::parse(&content).map(|format| format.linear.sample);
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn the_width_of_a_sample_is_that_of_its_container() {
        check(INTEGER, 2, 8, Ok(Sample::Unsigned8));
        check(INTEGER, 4, 12, Ok(Sample::Signed(2)));
        check(INTEGER, 6, 20, Ok(Sample::Signed(3)));
        check(EXTENSIBLE, 8, 24, Ok(Sample::Signed(4)));
        // An alignment that cannot be true.
        check(INTEGER, 3, 16, Ok(Sample::Signed(2)));
        check(FLOAT, 16, 64, Ok(Sample::Float64));
        let told = "in WAV is not decoded here; convert it, for example to WAV, or to FLAC of 24 \
                    bits, and send that";
        check(FLOAT, 4, 16, Err(&format!("floating-point PCM of 16 bits {told}")));
        check(0x55, 1, 0, Err(&format!("MP3 {told}")));
        check(0x1234, 1, 0, Err(&format!("format 0x1234 {told}")));
    }
}
