//! The format of the files of a result.

use crate::audio::FileFormat;
use crate::encode;

/// The format of the files of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::separate) enum OutputFormat {
    /// A file for each stem.
    Each(FileFormat),
    /// One NI stem file.
    NiStems,
}

impl OutputFormat {
    /// All formats.
    pub(in crate::cli::separate) const ALL: [OutputFormat; FileFormat::ALL.len() + 1] = {
        let mut all = [OutputFormat::NiStems; FileFormat::ALL.len() + 1];
        let mut index = 0;
        while index < FileFormat::ALL.len() {
            all[index] = OutputFormat::Each(FileFormat::ALL[index]);
            index += 1;
        }
        all
    };

    /// The name in options and records.
    pub(in crate::cli::separate) const fn name(self) -> &'static str {
        match self {
            OutputFormat::Each(format) => format.name(),
            OutputFormat::NiStems => "ni-stems",
        }
    }

    /// The format that FFmpeg encodes for it, if there is one.
    pub(in crate::cli::separate) fn by_ffmpeg(self) -> Option<FileFormat> {
        match self {
            OutputFormat::Each(format) => encode::needs_ffmpeg(format).then_some(format),
            OutputFormat::NiStems => Some(FileFormat::M4aAac),
        }
    }

    /// What it is, for help texts.
    pub(in crate::cli::separate) const fn description(self) -> &'static str {
        match self {
            OutputFormat::Each(format) => format.description(),
            OutputFormat::NiStems => {
                "One file for DJ software, SONG.stem.mp4: AAC by FFmpeg, else ALAC, which Traktor on Windows does not read"
            }
        }
    }
}
