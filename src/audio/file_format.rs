//! File formats of finished stems.

use std::str::FromStr;

use crate::audio::Encoding;

/// The format of a stem's file. The default is the one that every player plays.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// WAV with 32-bit floats, as computed; never clips.
    WavF32,
    /// WAV with 24-bit integers.
    WavS24,
    /// WAV with 16-bit integers.
    #[default]
    WavS16,
    /// FLAC with 24-bit integers.
    Flac,
    /// FLAC with 16-bit integers.
    FlacS16,
    /// AIFF with 24-bit integers.
    Aiff,
    /// AIFF with 16-bit integers.
    AiffS16,
    /// Opus in Ogg.
    Opus,
    /// MP3 at a constant bitrate.
    Mp3,
    /// ALAC with 24-bit integers, in an M4A file.
    M4aAlac,
    /// ALAC with 16-bit integers, in an M4A file.
    M4aAlacS16,
    /// AAC in an M4A file.
    M4aAac,
}

/// The text is not the name of a format.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a file format: use {names}", names = FileFormat::names())]
pub struct UnknownFileFormat(String);

impl FromStr for FileFormat {
    type Err = UnknownFileFormat;

    fn from_str(text: &str) -> Result<FileFormat, UnknownFileFormat> {
        let named =
            |format: &FileFormat| format.name() == text || format.short_name() == Some(text);
        let found = FileFormat::ALL.into_iter().find(named);
        found.ok_or_else(|| UnknownFileFormat(text.chars().take(64).collect()))
    }
}

impl FileFormat {
    /// All formats.
    pub const ALL: [FileFormat; 12] = [
        FileFormat::WavF32,
        FileFormat::WavS24,
        FileFormat::WavS16,
        FileFormat::Flac,
        FileFormat::FlacS16,
        FileFormat::Aiff,
        FileFormat::AiffS16,
        FileFormat::Opus,
        FileFormat::Mp3,
        FileFormat::M4aAlac,
        FileFormat::M4aAlacS16,
        FileFormat::M4aAac,
    ];

    /// The names of all formats, for messages.
    pub fn names() -> String {
        FileFormat::ALL.map(FileFormat::name).join(", ")
    }

    /// The name in options and queries.
    pub const fn name(self) -> &'static str {
        match self {
            FileFormat::WavF32 => "wav-f32",
            FileFormat::WavS24 => "wav-s24",
            FileFormat::WavS16 => "wav-s16",
            FileFormat::Flac => "flac",
            FileFormat::FlacS16 => "flac-s16",
            FileFormat::Aiff => "aiff",
            FileFormat::AiffS16 => "aiff-s16",
            FileFormat::Opus => "opus",
            FileFormat::Mp3 => "mp3",
            FileFormat::M4aAlac => "m4a-alac",
            FileFormat::M4aAlacS16 => "m4a-alac-s16",
            FileFormat::M4aAac => "m4a-aac",
        }
    }

    /// A second name: the extension, for the first format that has it.
    pub const fn short_name(self) -> Option<&'static str> {
        match self {
            FileFormat::WavF32 => Some("wav"),
            FileFormat::M4aAlac => Some("m4a"),
            _ => None,
        }
    }

    /// The format that an extension stands for: the first of those that have it.
    pub fn of_extension(extension: &str) -> Option<FileFormat> {
        FileFormat::ALL
            .into_iter()
            .find(|format| format.extension().eq_ignore_ascii_case(extension))
    }

    /// What it is, for help texts.
    pub const fn description(self) -> &'static str {
        match self {
            FileFormat::WavF32 => "WAV with 32-bit floats, which never clip",
            FileFormat::WavS24 => "WAV with 24-bit integers",
            FileFormat::WavS16 => "WAV with 16-bit integers and dither",
            FileFormat::Flac => "FLAC with 24-bit integers",
            FileFormat::FlacS16 => "FLAC with 16-bit integers and dither",
            FileFormat::Aiff => "AIFF with 24-bit integers",
            FileFormat::AiffS16 => "AIFF with 16-bit integers and dither",
            FileFormat::Opus => "Opus in Ogg, at 48 kHz; lossy",
            FileFormat::Mp3 => "MP3 at a constant bitrate; lossy",
            FileFormat::M4aAlac => "ALAC with 24-bit integers, in M4A",
            FileFormat::M4aAlacS16 => "ALAC with 16-bit integers and dither, in M4A",
            FileFormat::M4aAac => "AAC in M4A, by FFmpeg; lossy",
        }
    }

    /// The encoding of the samples, before compression.
    pub const fn encoding(self) -> Encoding {
        match self {
            FileFormat::WavF32 | FileFormat::Opus | FileFormat::Mp3 | FileFormat::M4aAac => {
                Encoding::F32Le
            }
            FileFormat::WavS24 | FileFormat::Flac | FileFormat::Aiff | FileFormat::M4aAlac => {
                Encoding::S24Le
            }
            FileFormat::WavS16
            | FileFormat::FlacS16
            | FileFormat::AiffS16
            | FileFormat::M4aAlacS16 => Encoding::S16Le,
        }
    }

    /// Whether it is FLAC.
    pub const fn is_flac(self) -> bool {
        matches!(self, FileFormat::Flac | FileFormat::FlacS16)
    }

    /// The gain, at most 1, at which a sample of this magnitude does not clip.
    pub fn fitting_gain(self, peak: f32) -> f32 {
        match self {
            // Players clip what exceeds full scale.
            FileFormat::Opus | FileFormat::Mp3 | FileFormat::M4aAac => {
                Encoding::S24Le.fitting_gain(peak)
            }
            format => format.encoding().fitting_gain(peak),
        }
    }

    /// The extension of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => "wav",
            FileFormat::Flac | FileFormat::FlacS16 => "flac",
            FileFormat::Aiff | FileFormat::AiffS16 => "aiff",
            FileFormat::Opus => "opus",
            FileFormat::Mp3 => "mp3",
            FileFormat::M4aAlac | FileFormat::M4aAlacS16 | FileFormat::M4aAac => "m4a",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => "audio/wav",
            FileFormat::Flac | FileFormat::FlacS16 => "audio/flac",
            FileFormat::Aiff | FileFormat::AiffS16 => "audio/aiff",
            FileFormat::Opus => "audio/ogg",
            FileFormat::Mp3 => "audio/mpeg",
            FileFormat::M4aAlac | FileFormat::M4aAlacS16 | FileFormat::M4aAac => "audio/mp4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_the_name_of_the_first_format_that_has_it() {
        for format in FileFormat::ALL {
            let first = FileFormat::of_extension(format.extension()).unwrap();
            assert_eq!(format.extension().parse::<FileFormat>().unwrap(), first);
            assert_eq!(format.name().parse::<FileFormat>().unwrap(), format);
            assert_eq!(
                format.short_name().is_some(),
                format == first && first.name() != first.extension()
            );
        }
        assert_eq!(FileFormat::of_extension("WAV"), Some(FileFormat::WavF32));
        assert!("wav-s8".parse::<FileFormat>().is_err());
    }
}
