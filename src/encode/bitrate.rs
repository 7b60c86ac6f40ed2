//! Bitrates of lossy formats.

use super::EncodeError;
use crate::audio::FileFormat;

/// Bitrates of MP3 (MPEG-1, layer III) whose frames have space for the length of the audio.
const MP3: [u32; 10] = [64, 80, 96, 112, 128, 160, 192, 224, 256, 320];

/// The bitrate of a file with so many channels, in kbit/s: the wanted one, or a default at which few hear a difference.
/// `None` for formats without loss.
///
/// # Errors
/// [`EncodeError::Unsupported`] if the format has no such bitrate.
pub fn bitrate(
    format: FileFormat,
    channels: usize,
    wanted: Option<u32>,
) -> Result<Option<u32>, EncodeError> {
    let unsupported = |problem| Err(EncodeError::Unsupported { format, problem });
    let usual = |stereo, mono| Ok(Some(if channels == 1 { mono } else { stereo }));
    match (format, wanted) {
        (FileFormat::Mp3, None) => usual(256, 128),
        (FileFormat::Mp3, Some(wanted)) if !MP3.contains(&wanted) => {
            let known = MP3.map(|kbit| kbit.to_string()).join(", ");
            unsupported(format!("{wanted} kbit/s is none of its bitrates: {known}"))
        }
        (FileFormat::Opus, None) => usual(160, 96),
        (FileFormat::Opus, Some(wanted)) if !(16..=510).contains(&wanted) => {
            unsupported(format!("{wanted} kbit/s is not within its bitrates: 16 to 510"))
        }
        (FileFormat::M4aAac, None) => usual(256, 128),
        (FileFormat::M4aAac, Some(wanted)) if !(32..=512).contains(&wanted) => {
            unsupported(format!("{wanted} kbit/s is not within its bitrates: 32 to 512"))
        }
        (FileFormat::Mp3 | FileFormat::Opus | FileFormat::M4aAac, Some(_)) => Ok(wanted),
        (_, None) => Ok(None),
        (_, Some(_)) => unsupported("it has no bitrate to choose".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: FileFormat, channels: usize, wanted: Option<u32>, expected: Option<u32>) {
        assert_eq!(bitrate(format, channels, wanted).unwrap(), expected);
    }

    #[test]
    fn only_lossy_formats_have_a_bitrate() {
        check(FileFormat::Mp3, 2, None, Some(256));
        check(FileFormat::Mp3, 1, None, Some(128));
        check(FileFormat::Mp3, 1, Some(320), Some(320));
        check(FileFormat::Opus, 2, None, Some(160));
        check(FileFormat::Opus, 2, Some(16), Some(16));
        check(FileFormat::M4aAac, 2, None, Some(256));
        check(FileFormat::M4aAac, 1, Some(512), Some(512));
        check(FileFormat::Flac, 2, None, None);
        let refused = [
            (FileFormat::Mp3, 100),
            (FileFormat::Opus, 511),
            (FileFormat::M4aAac, 31),
            (FileFormat::WavS16, 128),
        ];
        for (format, wanted) in refused {
            assert!(bitrate(format, 2, Some(wanted)).is_err(), "{format:?}");
        }
    }
}
