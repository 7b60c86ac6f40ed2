//! The option `--ffmpeg`: which FFmpeg decodes and encodes what Stemwire does not.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use crate::audio::FileFormat;
use crate::encode::{self, Ffmpeg};
use crate::proto::reason::Category;
use crate::separation::DecoderConfig;
use crate::separation::decoder::ffmpeg::choice::FfmpegChoice;

/// The option of commands that decode or encode.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FfmpegOption {
    /// FFmpeg for formats that Stemwire does not read, and for AAC, or MP3 in builds without LAME; auto: the ffmpeg on the search path, if there is one
    #[arg(long, value_name = "auto|never|PATH", default_value_t = FfmpegChoice::Auto, env = "STEMWIRE_FFMPEG")]
    pub(super) ffmpeg: FfmpegChoice,
}

impl FfmpegOption {
    /// The program; `None` if there is none.
    ///
    /// # Errors
    /// The named program does not exist or is no program.
    pub(super) fn find(&self) -> Result<Option<PathBuf>, CliError> {
        self.ffmpeg.find().map_err(|error| unusable(&format!("--ffmpeg {}: {error}", self.ffmpeg)))
    }

    /// Whether the program was named.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.ffmpeg, FfmpegChoice::Program(_))
    }
}

/// The error of an FFmpeg that cannot be used.
pub(super) fn unusable(cause: &str) -> CliError {
    let remedy = "Name the program of FFmpeg, or use --ffmpeg never.";
    CliError::new(Category::Usage, cause, remedy)
}

/// FFmpeg, if there is one that encodes this format.
///
/// # Errors
/// A named program does not work.
pub(super) fn encoding_ffmpeg(
    option: &FfmpegOption,
    format: FileFormat,
) -> Result<Option<Ffmpeg>, CliError> {
    let program = option.find()?;
    let config = DecoderConfig::from_here()
        .map_err(|error| CliError::plain(Category::Other, error.to_string()))?;
    let config = DecoderConfig { ffmpeg: program, ..config };
    match config.ffmpeg().map(|ffmpeg| encode::probe(&ffmpeg, format).map(|()| ffmpeg)) {
        Some(Err(error)) if option.is_named() => {
            Err(unusable(&format!("ffmpeg does not encode {}: {error}", format.name())))
        }
        Some(Err(error)) => {
            let format = format.name();
            eprintln!("warning: ffmpeg is not used, because it does not encode {format}: {error}");
            Ok(None)
        }
        Some(Ok(ffmpeg)) => Ok(Some(ffmpeg)),
        None => Ok(None),
    }
}
