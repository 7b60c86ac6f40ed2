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
    /// This build lacks the encoder.
    #[error("this build of Stemwire has no encoder for {}", format.name())]
    Missing {
        /// The format.
        format: FileFormat,
    },
    /// There is no FFmpeg, which encodes this format.
    #[error("{} is encoded by FFmpeg, and there is none", format.name())]
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

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> io::Error {
        match error {
            EncodeError::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}
