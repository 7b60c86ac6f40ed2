//! Headers of AIFF files.

use super::samples::SampleWriter;
use super::{EncodeError, FileSpec};

/// Bytes before the first frame.
const HEADER_BYTES: u64 = 54;

/// The header of a file with `behind` bytes of chunks behind the frames: the chunks FORM and COMM, and the beginning of SSND
/// (Audio Interchange File Format, version 1.3).
///
/// # Errors
/// [`EncodeError::Unsupported`] for files beyond 4 GiB.
pub(super) fn header(spec: &FileSpec, behind: u64) -> Result<Vec<u8>, EncodeError> {
    let samples = SampleWriter::of(spec);
    let data = spec.frames.0.saturating_mul(samples.frame_bytes() as u64);
    // With padding to an even length.
    let form = (HEADER_BYTES - 8 + data % 2).saturating_add(data).saturating_add(behind);
    let (Ok(frames), Ok(form), Ok(data)) =
        (u32::try_from(spec.frames.0), u32::try_from(form), u32::try_from(data.saturating_add(8)))
    else {
        let problem = format!("{data} bytes of samples exceed its limit of 4 GiB");
        return Err(EncodeError::Unsupported { format: spec.format, problem });
    };
    let bits = 8 * samples.encoding().bytes_per_sample() as u16;
    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
    bytes.extend(b"FORM");
    bytes.extend(form.to_be_bytes());
    bytes.extend(b"AIFFCOMM");
    bytes.extend(18_u32.to_be_bytes());
    bytes.extend((spec.channels as u16).to_be_bytes());
    bytes.extend(frames.to_be_bytes());
    bytes.extend(bits.to_be_bytes());
    bytes.extend(extended(spec.rate.0));
    bytes.extend(b"SSND");
    bytes.extend(data.to_be_bytes());
    // The samples follow at once, in blocks of no special size.
    bytes.extend([0; 8]);
    debug_assert_eq!(bytes.len() as u64, HEADER_BYTES);
    Ok(bytes)
}

/// A number as an 80-bit float: sign and exponent, then the mantissa with its leading one.
fn extended(number: u32) -> [u8; 10] {
    let shift = u64::from(number).leading_zeros().min(63);
    let exponent = 16_383 + 63 - shift as u16;
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&exponent.to_be_bytes());
    bytes[2..].copy_from_slice(&(u64::from(number) << shift).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{FileFormat, Frames, Hertz};

    #[test]
    fn rates_are_80_bit_floats() {
        assert_eq!(extended(44_100), [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]);
        assert_eq!(extended(48_000), [0x40, 0x0e, 0xbb, 0x80, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn files_beyond_4_gib_are_refused() {
        let of = |frames| FileSpec {
            format: FileFormat::Aiff,
            channels: 2,
            rate: Hertz(44_100),
            frames: Frames(frames),
            bitrate: None,
            dither_seed: 0,
            tags: None,
        };
        let most = (u64::from(u32::MAX) - HEADER_BYTES) / 6;
        assert!(header(&of(most), 0).is_ok() && header(&of(most), 20).is_err());
        let error = header(&of(most + 10), 0).unwrap_err().to_string();
        assert!(error.contains("4 GiB"), "{error}");
        assert!(header(&of(u64::MAX), 0).is_err());
    }
}
