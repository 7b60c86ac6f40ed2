//! The first frame of an MP3 file: silence for old players, and the exact length for others.
//!
//! It is written before the audio, so that a stream has it too: at a constant bitrate all of it is known but the checksum of
//! the audio. Layout: Xing's header (`Info` for a constant bitrate) and LAME's extension of it, as LAME writes them.

use crate::audio::{Frames, Hertz};

/// Frames of audio in a frame of MPEG-1, layer III.
const FRAME: u64 = 1152;

/// Frames that the encoder puts in front of the audio.
const DELAY: u64 = 576;

/// Fewest frames behind the audio, so that its end can be decoded.
const LEAST_PADDING: u64 = 576;

/// Bitrates of MPEG-1, layer III, in kbit/s, in the order of their indices; there is none of index 0.
const BITRATES: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];

/// Sample rates of MPEG-1, in the order of their indices.
const RATES: [Hertz; 3] = [Hertz(44_100), Hertz(48_000), Hertz(32_000)];

/// The sample rate at which audio is encoded, one of MPEG-1: not lower than that of the audio, and a multiple of it where
/// there is one. Higher rates become 44,100 or 48,000 Hz.
pub(super) fn coded_rate(rate: Hertz) -> Hertz {
    let [cd, dat, low] = RATES;
    if rate > dat {
        return if rate.0.is_multiple_of(cd.0) { cd } else { dat };
    }
    let not_lower = || [low, cd, dat].into_iter().filter(|coded| *coded >= rate);
    let multiple = not_lower().find(|coded| coded.0.is_multiple_of(rate.0));
    multiple.or_else(|| not_lower().next()).unwrap_or(dat)
}

/// The frame for so many frames of audio at a rate of MPEG-1.
pub(super) fn info_frame(rate: Hertz, channels: usize, kbits: u32, frames: Frames) -> Vec<u8> {
    let mp3_frames = (DELAY + frames.0 + LEAST_PADDING).div_ceil(FRAME);
    let padding = mp3_frames * FRAME - DELAY - frames.0;
    // Joint stereo or mono.
    let (mode, side_info) = if channels == 1 { (0b11, 17) } else { (0b01, 32) };
    let size = file_bytes(rate, kbits, 1) as usize;
    let bytes = size as u64 + file_bytes(rate, kbits, mp3_frames);

    let mut frame = Vec::with_capacity(size);
    frame.extend([0xff, 0xfb]);
    frame.push((index_of(&BITRATES, kbits) << 4) | (index_of(&RATES, rate) << 2));
    // Original.
    frame.push((mode << 6) | 0b100);
    frame.resize(4 + side_info, 0);
    frame.extend(b"Info");
    // Frames, bytes, table of positions and quality follow.
    frame.extend(0b1111_u32.to_be_bytes());
    frame.extend(saturated(mp3_frames).to_be_bytes());
    frame.extend(saturated(bytes).to_be_bytes());
    // Every hundredth of the time is a hundredth of the bytes.
    frame.extend((0..100_u32).map(|percent| (percent * 256 / 100) as u8));
    frame.extend(0_u32.to_be_bytes());
    frame.extend(b"LAME3.100");
    // Revision 0, constant bitrate; the lowpass is not stated.
    frame.extend([1, 0]);
    // Peak and gains are not stated.
    frame.extend([0; 8]);
    // No flags; bitrate.
    frame.extend([0, kbits.min(255) as u8]);
    let delays = ((DELAY as u32) << 12) | padding as u32;
    frame.extend(&delays.to_be_bytes()[1..]);
    // Nothing on the source, its gain and the preset.
    frame.extend([0; 4]);
    frame.extend(saturated(bytes).to_be_bytes());
    // The checksum of the audio, which is not known yet.
    frame.extend([0; 2]);
    frame.extend(crc16(&frame).to_be_bytes());
    frame.resize(size, 0);
    frame
}

/// Bytes of so many frames at a constant bitrate: a frame is a byte longer where the fractions add up to one.
fn file_bytes(rate: Hertz, kbits: u32, frames: u64) -> u64 {
    let (rate, bits) = (u64::from(rate.0.max(1)), 144_000 * u64::from(kbits));
    let padded = (frames.saturating_sub(1) * (bits % rate)).div_ceil(rate);
    frames * (bits / rate) + padded
}

/// The index of a value that is in the table.
fn index_of<T: PartialEq>(table: &[T], value: T) -> u8 {
    table.iter().position(|known| *known == value).unwrap_or_default() as u8
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// CRC-16 with the reflected polynomial 0x8005.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| (crc >> 1) ^ (0xa001 * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_one_of_mpeg_1_and_not_lower() {
        for (rate, coded) in [
            (8_000, 32_000),
            (11_025, 44_100),
            (12_000, 48_000),
            (16_000, 32_000),
            (22_050, 44_100),
            (24_000, 48_000),
            (32_000, 32_000),
            (37_800, 44_100),
            (44_100, 44_100),
            (47_000, 48_000),
            (50_000, 48_000),
            (64_000, 48_000),
            (88_200, 44_100),
            (96_000, 48_000),
            (176_400, 44_100),
            (192_000, 48_000),
        ] {
            assert_eq!(coded_rate(Hertz(rate)), Hertz(coded), "{rate}");
        }
    }

    #[test]
    fn the_smallest_frame_has_space_for_everything() {
        let frame = info_frame(Hertz(48_000), 2, 64, Frames(1));
        assert_eq!(frame.len(), 192);
        assert_eq!((&frame[36..40], &frame[156..160]), (&b"Info"[..], &b"LAME"[..]));
        // Its end is the checksum.
        assert_eq!(crc16(&frame[..190]).to_be_bytes(), frame[190..]);
    }

    #[test]
    fn delay_and_padding_fill_whole_frames() {
        for (frames, mp3_frames, padding) in
            [(0, 1, 576), (1, 2, 1727), (576, 2, 1152), (1152, 2, 576), (1153, 3, 1727)]
        {
            let frame = info_frame(Hertz(44_100), 2, 256, Frames(frames));
            assert_eq!(frame[44..48], u32::to_be_bytes(mp3_frames), "{frames}");
            let delays = u32::from_be_bytes([0, frame[177], frame[178], frame[179]]);
            assert_eq!((delays >> 12, delays & 0xfff), (576, padding), "{frames}");
        }
    }
}
