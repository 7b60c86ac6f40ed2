//! Where stems are written, and in which format.

use std::path::PathBuf;

use super::args::SeparateArgs;
use super::results::{FileOptions, OutputFormat};
use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo};
use crate::cli::error::CliError;
use crate::cli::ffmpeg_option::encoding_ffmpeg;
use crate::encode::{self, Ffmpeg};
use crate::proto::reason::Category;
use crate::session::name_template::NameTemplate;
use crate::session::settings::OutputChannels;

/// Where stems are written.
pub(super) enum Destination {
    /// Files, in a folder for each song.
    Files {
        /// The folder of these folders.
        output: PathBuf,
        /// The names of the files, and of the folder if it has folders.
        name: NameTemplate,
        options: FileOptions,
    },
    /// Standard output: one stem of one song, as it is computed.
    Pipe(StemPipe),
}

/// A stem that is written to standard output as raw PCM.
pub(super) struct StemPipe {
    pub(super) stem: StemName,
    pub(super) encoding: Encoding,
    pub(super) channels: OutputChannels,
}

impl Destination {
    /// Where the arguments want these stems of so many songs.
    ///
    /// # Errors
    /// The format cannot be encoded, or standard output cannot take all that.
    pub(super) fn new(
        args: &SeparateArgs,
        stems: &[StemName],
        songs: usize,
    ) -> Result<Destination, CliError> {
        let ffmpeg = match args.format.by_ffmpeg() {
            Some(format) => encoding_ffmpeg(&args.ffmpeg, format)?,
            None => None,
        };
        check_format(args, ffmpeg.as_ref())?;
        Ok(match (&args.stdout, stems) {
            (Some(_), [stem]) => {
                if songs != 1 {
                    let cause = format!("--stdout takes one song, not {songs}");
                    let remedy = "Give one song, or write files.";
                    return Err(CliError::new(Category::Usage, cause, remedy));
                }
                let (stem, channels) = (stem.clone(), args.channels);
                let encoding = raw_encoding(args.format)?;
                Destination::Pipe(StemPipe { stem, encoding, channels })
            }
            _ => Destination::Files {
                output: args.output.clone(),
                name: args.name.clone(),
                options: FileOptions {
                    format: args.format,
                    bitrate: args.bitrate,
                    channels: args.channels,
                    fit: args.fit,
                    tags: !args.no_tags,
                    force: args.force,
                    ffmpeg,
                },
            },
        })
    }

    pub(super) fn pipe(&self) -> Option<&StemPipe> {
        match self {
            Destination::Files { .. } => None,
            Destination::Pipe(pipe) => Some(pipe),
        }
    }

    /// Disk space that so many stems still need, of which these frames are in the scratch directory.
    pub(super) fn missing_bytes(&self, stems: usize, finished: Frames, total: Frames) -> u64 {
        let stems = stems as u64;
        let computed = total.saturating_sub(finished).0 * frame_bytes(Encoding::F32Le);
        let converted = match self {
            Destination::Files { options, .. } => match options.format {
                OutputFormat::Each(FileFormat::WavF32) => 0,
                OutputFormat::Each(format) => total.0 * frame_bytes(format.encoding()),
                // The mix is a stem more than the others.
                OutputFormat::NiStems => total.0 * 2 * frame_bytes(Encoding::S24Le),
            },
            Destination::Pipe(_) => 0,
        };
        computed.saturating_add(converted).saturating_mul(stems)
    }

    /// Refuses stems of a rate that the format does not have. The rate is known once the start of the song is decoded; a
    /// server reports it with the end of the session.
    ///
    /// # Errors
    /// The rate and the limit.
    pub(super) fn check_rate(&self, rate: Hertz) -> Result<(), CliError> {
        let Destination::Files { options, .. } = self else { return Ok(()) };
        let OutputFormat::Each(format) = options.format else { return Ok(()) };
        encode::check(format, rate, options.ffmpeg.as_ref()).map_err(|error| {
            let remedy = "Choose another --format, or leave out --rate source.";
            CliError::new(Category::Input, error.to_string(), remedy)
        })
    }

    /// The encoding of the stems from the backend: files are converted from float32 in one way, on any backend.
    pub(super) fn transfer_encoding(&self) -> Encoding {
        match self {
            Destination::Pipe(pipe) => pipe.encoding,
            Destination::Files { .. } => Encoding::F32Le,
        }
    }
}

/// Refuses a format that cannot be encoded, and a bitrate that the format does not have.
fn check_format(args: &SeparateArgs, ffmpeg: Option<&Ffmpeg>) -> Result<(), CliError> {
    let OutputFormat::Each(format) = args.format else {
        if args.bitrate.is_some() {
            let cause = format!("{} has no bitrate to choose", args.format.name());
            return Err(CliError::plain(Category::Usage, cause));
        }
        return Ok(());
    };
    // Of the rates of songs, only high ones are not supported everywhere; they are known only when a song is decoded.
    encode::check(format, Hertz(44_100), ffmpeg)?;
    encode::bitrate(format, Stereo::CHANNELS, args.bitrate)?;
    Ok(())
}

/// The encoding of raw PCM with the samples of a format.
fn raw_encoding(format: OutputFormat) -> Result<Encoding, CliError> {
    match format {
        OutputFormat::Each(
            format @ (FileFormat::WavF32 | FileFormat::WavS24 | FileFormat::WavS16),
        ) => Ok(format.encoding()),
        _ => {
            let cause = format!("--stdout writes raw PCM, not {}", format.name());
            Err(CliError::new(Category::Usage, cause, "Use a WAV format, or write files."))
        }
    }
}
