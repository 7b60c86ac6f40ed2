//! Sample entries of PCM (QTFF, *Sound Sample Descriptions*; ISO/IEC 23003-5).

use super::boxes::{Mp4Box, number};
use crate::decode::codecs::pcm::{PcmFormat, SampleFormat};
use crate::decode::error::DecodeError;
use crate::decode::reader::ByteReader;
use crate::decode::report::Container;

/// Flags of a version 2 entry of kind `lpcm`.
const IS_FLOAT: u64 = 1;
const IS_BIG_ENDIAN: u64 = 2;

/// The PCM format of an entry and its rate in Hz; `None` if its kind is another codec.
///
/// # Errors
/// [`DecodeError::UnsupportedCodec`] for a width that is not supported.
pub(super) fn read(
    entry: &Mp4Box,
    bytes: &mut ByteReader,
) -> Result<Option<(PcmFormat, u32)>, DecodeError> {
    let fields = entry.read(bytes, 64)?;
    let field = |at: usize, count: usize| number(&fields, at, count).unwrap_or(0);
    let (mut rate, mut channels, mut bits) = (field(24, 2), field(16, 2), field(18, 2));
    let is_second = field(8, 2) == 2;
    if is_second {
        let stated = f64::from_bits(field(32, 8));
        (rate, channels, bits) = (stated.clamp(0.0, 1e9) as u64, field(40, 4), field(48, 4));
    }
    let width = bits.div_ceil(8) as usize;
    let is_little = |bytes: &mut ByteReader| -> Result<bool, DecodeError> {
        // QuickTime states the byte order in a box of its own.
        let Some(order) = entry.codec_box(b"enda", bytes)? else { return Ok(false) };
        Ok(number(&order.read(bytes, 2)?, 0, 2) == Some(1))
    };
    let (sample, big_endian) = match &entry.kind {
        b"sowt" => (signed(width), false),
        b"twos" => (signed(width), true),
        b"raw " | b"NONE" if width == 1 => (Some(SampleFormat::Unsigned8), true),
        b"raw " | b"NONE" => (signed(width), true),
        b"in24" => (signed(3), !is_little(bytes)?),
        b"in32" => (signed(4), !is_little(bytes)?),
        b"fl32" => (float(4), !is_little(bytes)?),
        b"fl64" => (float(8), !is_little(bytes)?),
        b"ulaw" => (Some(SampleFormat::MuLaw), true),
        b"alaw" => (Some(SampleFormat::ALaw), true),
        b"lpcm" => {
            let flags = field(52, 4);
            let sample = if flags & IS_FLOAT != 0 { float(width) } else { signed(width) };
            (sample, flags & IS_BIG_ENDIAN != 0)
        }
        b"ipcm" | b"fpcm" => {
            // Version and flags, then the byte order and the width.
            let config = match entry.codec_box(b"pcmC", bytes)? {
                Some(config) => config.read(bytes, 6)?,
                None => Vec::new(),
            };
            let width = number(&config, 5, 1).unwrap_or(bits).div_ceil(8) as usize;
            let sample = if entry.kind == *b"fpcm" { float(width) } else { signed(width) };
            (sample, number(&config, 4, 1) != Some(1))
        }
        _ => return Ok(None),
    };
    let sample = sample.ok_or_else(|| DecodeError::UnsupportedCodec {
        container: Container::Mp4,
        codec: format!("PCM of {bits} bits"),
    })?;
    let channels = channels as usize;
    Ok(Some((PcmFormat { sample, big_endian, channels }, rate as u32)))
}

fn signed(width: usize) -> Option<SampleFormat> {
    (1..=4).contains(&width).then_some(SampleFormat::Signed(width))
}

fn float(width: usize) -> Option<SampleFormat> {
    match width {
        4 => Some(SampleFormat::Float32),
        8 => Some(SampleFormat::Float64),
        _ => None,
    }
}
