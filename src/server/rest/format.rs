//! The forms in which stems are downloaded.

use std::str::FromStr;

use crate::audio::Encoding;

/// A form. The default is what every player plays.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// 32-bit float, as computed; never clips.
    WavF32,
    /// 24-bit integer.
    WavS24,
    /// 16-bit integer.
    #[default]
    WavS16,
    /// The same samples as [`Format::WavS24`], packed without loss.
    Flac,
}

/// What the query may say of a form.
pub(super) const FORMATS: &str = "one of wav-f32, wav-s24, wav-s16, flac";

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Format, ()> {
        let all = [Format::WavF32, Format::WavS24, Format::WavS16, Format::Flac];
        all.into_iter().find(|format| format.name() == text).ok_or(())
    }
}

impl Format {
    /// The name in the query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::WavF32 => "wav-f32",
            Format::WavS24 => "wav-s24",
            Format::WavS16 => "wav-s16",
            Format::Flac => "flac",
        }
    }

    /// How its samples are stored before anything packs them.
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Format::WavF32 => Encoding::F32Le,
            Format::WavS24 | Format::Flac => Encoding::S24Le,
            Format::WavS16 => Encoding::S16Le,
        }
    }

    /// The end of a file's name.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Format::WavF32 | Format::WavS24 | Format::WavS16 => "wav",
            Format::Flac => "flac",
        }
    }

    /// The media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::WavF32 | Format::WavS24 | Format::WavS16 => "audio/wav",
            Format::Flac => "audio/flac",
        }
    }
}
