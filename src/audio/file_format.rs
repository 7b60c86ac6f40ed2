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
    /// FLAC with the samples of [`FileFormat::WavS24`].
    Flac,
}

/// The text is not the name of a format.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a file format: use wav-f32, wav-s24, wav-s16 or flac")]
pub struct UnknownFileFormat(String);

impl FromStr for FileFormat {
    type Err = UnknownFileFormat;

    fn from_str(text: &str) -> Result<FileFormat, UnknownFileFormat> {
        let found = FileFormat::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| UnknownFileFormat(text.chars().take(64).collect()))
    }
}

impl FileFormat {
    /// All formats.
    pub const ALL: [FileFormat; 4] =
        [FileFormat::WavF32, FileFormat::WavS24, FileFormat::WavS16, FileFormat::Flac];

    /// The name in options and queries.
    pub const fn name(self) -> &'static str {
        match self {
            FileFormat::WavF32 => "wav-f32",
            FileFormat::WavS24 => "wav-s24",
            FileFormat::WavS16 => "wav-s16",
            FileFormat::Flac => "flac",
        }
    }

    /// What it is, for help texts.
    pub const fn description(self) -> &'static str {
        match self {
            FileFormat::WavF32 => "WAV with 32-bit floats, which never clip",
            FileFormat::WavS24 => "WAV with 24-bit integers",
            FileFormat::WavS16 => "WAV with 16-bit integers",
            FileFormat::Flac => "FLAC with 24-bit integers",
        }
    }

    /// The encoding of the samples, before compression.
    pub const fn encoding(self) -> Encoding {
        match self {
            FileFormat::WavF32 => Encoding::F32Le,
            FileFormat::WavS24 | FileFormat::Flac => Encoding::S24Le,
            FileFormat::WavS16 => Encoding::S16Le,
        }
    }

    /// The gain, at most 1, at which a sample of this magnitude does not clip.
    pub fn fitting_gain(self, peak: f32) -> f32 {
        self.encoding().fitting_gain(peak)
    }

    /// The extension of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => "wav",
            FileFormat::Flac => "flac",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16 => "audio/wav",
            FileFormat::Flac => "audio/flac",
        }
    }
}
