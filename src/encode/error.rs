//! Errors of encoders.

use std::io;

use crate::audio::{FileFormat, Frames};

/// Why a file cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The format cannot hold such audio.
    #[error("{} cannot hold this: {problem}", format.name())]
    Unsupported {
        /// The format.
        format: FileFormat,
        /// The value and the limit.
        problem: String,
    },
    /// There is no FFmpeg, which encodes this format.
    #[error("{} is encoded by FFmpeg{}, and there is none", format.name(), without_lame(*format))]
    FfmpegMissing {
        /// The format.
        format: FileFormat,
    },
    /// The encoder failed.
    #[error("the {} encoder failed: {cause}", format.name())]
    Failed {
        /// The format.
        format: FileFormat,
        /// Its error.
        cause: String,
    },
    /// The audio has another length than the header states.
    #[error("the audio has {written} frames, not {expected}")]
    Length {
        /// Frames written.
        written: Frames,
        /// Frames of [`FileSpec`](super::FileSpec).
        expected: Frames,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl EncodeError {
    /// The remedy, where the reason's own does not fit.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            EncodeError::FfmpegMissing { format: FileFormat::Mp3 } => Some(
                "Use a build of Stemwire with the feature mp3, or install FFmpeg where the file is encoded.",
            ),
            _ => None,
        }
    }
}

fn without_lame(format: FileFormat) -> &'static str {
    if format == FileFormat::Mp3 { " in builds without LAME" } else { "" }
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> io::Error {
        match error {
            EncodeError::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}
