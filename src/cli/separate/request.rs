//! The request of `stemwire separate`, from its arguments.

use std::path::PathBuf;

use super::args::SeparateArgs;
use super::inputs::Inputs;
use super::results::{FileOptions, OutputFormat, ResultSettings};
use super::time::Seconds;
use crate::audio::stem::BadStemName;
use crate::audio::wav::frame_bytes;
use crate::audio::{Encoding, FileFormat, Frames, Hertz, StemName, Stereo, TimeSpan};
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::cli::ffmpeg::{FfmpegOption, unusable};
use crate::encode::ni_stems::NiStemPlan;
use crate::encode::{self, Ffmpeg};
use crate::proto::reason::Category;
use crate::separation::DecoderConfig;
use crate::server::{can_others_read, read_pem, read_token};
use crate::session::Settings;
use crate::session::name_template::NameTemplate;
use crate::session::settings::{OnDisconnect, OutputChannels};
use stemwire_client::Server;

/// The checked arguments.
pub(super) struct SeparateRequest {
    pub(super) inputs: Inputs,
    /// Songs that are separated at a time.
    pub(super) jobs: usize,
    /// Settings of every song; the file name is that of the song.
    pub(super) settings: Settings,
    pub(super) destination: Destination,
    pub(super) backend: BackendConfig,
    /// The folder in which scratch files are made.
    pub(super) scratch_parent: PathBuf,
    format: OutputFormat,
    precision: Option<String>,
}

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

/// The backend that computes.
pub(super) enum BackendConfig {
    Local {
        engine: EngineArgs,
        /// Names of the models of the fallback chain; empty for the default chain.
        chain: Vec<String>,
        /// FFmpeg, if there is one.
        ffmpeg: Option<PathBuf>,
    },
    Remote(Server),
}

impl SeparateRequest {
    /// Checks and converts the arguments.
    ///
    /// # Errors
    /// An option is invalid, or a file that it names cannot be read.
    pub(super) fn new(args: &SeparateArgs) -> Result<SeparateRequest, CliError> {
        let inputs = Inputs::of(&args.songs, &args.output);
        let stems = stems(args)?;
        let (start, end) = (args.start.unwrap_or(Seconds(0.0)), args.end);
        let span = TimeSpan::from_seconds(start.0, end.map(|end| end.0))
            .map_err(|error| CliError::plain(Category::Usage, error.to_string()))?;
        let ffmpeg = match args.format.by_ffmpeg() {
            Some(format) => encoding_ffmpeg(&args.ffmpeg, format)?,
            None => None,
        };
        check_format(args, ffmpeg.as_ref())?;
        let destination = match (&args.stdout, &stems[..]) {
            (Some(_), [stem]) => {
                let count = inputs.songs.len() + inputs.failed.len();
                if count != 1 {
                    let cause = format!("--stdout takes one song, not {count}");
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
        };
        let scratch_parent = match &destination {
            Destination::Files { output, .. } => output.clone(),
            // Without files to write, the output folder must not be created.
            Destination::Pipe(_) => std::env::temp_dir(),
        };
        let settings = Settings {
            model: match &args.ensemble {
                Some(ensemble) => Some(ensemble.to_string()),
                None => args.model.clone().filter(|_| args.quality.is_none()),
            },
            quality: args.quality,
            stems,
            input: args.raw,
            span,
            track: args.track,
            encoding: destination.transfer_encoding(),
            channels: destination.pipe().map_or(OutputChannels::Stereo, |pipe| pipe.channels),
            rate: args.rate,
            normalization: args.normalization,
            allow_fallback: !args.no_fallback,
            overlap: args.overlap,
            mask_extension: args.mask_extension,
            accompaniment: args.accompaniment,
            // After a broken connection the client reconnects within moments; an interrupted run does not need the stems.
            on_disconnect: OnDisconnect::Pause,
            ..Settings::default()
        };
        let backend = match &args.server {
            Some(url) => BackendConfig::Remote(server(url, args)?),
            None => BackendConfig::Local {
                engine: args.engine.clone(),
                chain: args.engines.clone(),
                ffmpeg: args.ffmpeg.find()?,
            },
        };
        // A server has a precision of its own.
        let precision = args.server.is_none().then(|| args.engine.precision.to_string());
        let format = args.format;
        Ok(SeparateRequest {
            inputs,
            jobs: usize::from(args.jobs.get()),
            settings,
            destination,
            backend,
            scratch_parent,
            format,
            precision,
        })
    }

    /// Refuses a run whose stems, of a model with these, do not fit its format.
    ///
    /// # Errors
    /// An NI stem file lacks a stem.
    pub(super) fn check_stems(&self, of_model: &[StemName]) -> Result<(), CliError> {
        let stems = &self.settings.stems;
        if self.format == OutputFormat::NiStems {
            NiStemPlan::of(if stems.is_empty() { of_model } else { stems })?;
        }
        Ok(())
    }

    /// The settings that a result depends on, if the model has these stems.
    pub(super) fn result_settings(&self, of_model: &[StemName]) -> ResultSettings {
        let settings = &self.settings;
        let stems = if settings.stems.is_empty() { of_model } else { &settings.stems };
        let mut stems: Vec<_> = stems.iter().map(StemName::to_string).collect();
        stems.sort();
        let (name, bitrate, fit, tags, channels, ffmpeg) = match &self.destination {
            Destination::Files { options, name, .. } => {
                let FileOptions { bitrate, fit, tags, channels, ffmpeg, .. } = options;
                let name = name.other_than_default();
                (name, *bitrate, *fit, *tags, *channels, ffmpeg.is_some())
            }
            Destination::Pipe(pipe) => (None, None, false, false, pipe.channels, false),
        };
        let format = match self.format {
            // Another codec is another result.
            OutputFormat::NiStems if !ffmpeg => "ni-stems-alac",
            format => format.name(),
        };
        ResultSettings {
            stems,
            format: format.to_owned(),
            name,
            bitrate,
            fit,
            tags,
            rate: settings.rate,
            channels,
            start_s: settings.span.start.as_secs_f64(),
            end_s: settings.span.end.map(|end| end.as_secs_f64()),
            track: settings.track,
            normalization: settings.normalization,
            accompaniment: settings.accompaniment,
            mask_extension: settings.mask_extension,
            overlap: settings.overlap,
            raw: settings.input.map(|raw| raw.to_string()),
            precision: self.precision.clone(),
        }
    }
}

impl Destination {
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

/// FFmpeg, if there is one that encodes this format.
///
/// # Errors
/// A named program does not work.
pub(in crate::cli) fn encoding_ffmpeg(
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

/// The stems to compute, each once; empty for all stems of the model.
fn stems(args: &SeparateArgs) -> Result<Vec<StemName>, CliError> {
    let invalid = |error: BadStemName| CliError::plain(Category::Usage, error.to_string());
    let names = match (&args.stdout, &args.two_stems) {
        (Some(stem), _) => std::slice::from_ref(stem),
        (None, Some(stem)) => std::slice::from_ref(stem),
        (None, None) => &args.stems[..],
    };
    let mut stems: Vec<StemName> = Vec::new();
    for name in names {
        let stem = name.parse().map_err(invalid)?;
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    if let (Some(_), [stem]) = (&args.two_stems, &stems[..]) {
        let complement = stem.complement().map_err(invalid)?;
        stems.push(complement);
    }
    Ok(stems)
}

fn server(url: &str, args: &SeparateArgs) -> Result<Server, CliError> {
    let authority = match &args.tls_ca {
        None => None,
        Some(path) => Some(read_pem(path, "CERTIFICATE")?),
    };
    Ok(Server { url: url.to_owned(), token: token(args)?, authority })
}

fn token(args: &SeparateArgs) -> Result<Option<String>, CliError> {
    let file = match (&args.token, &args.token_file) {
        (token, None) => return Ok(token.clone()),
        (None, Some(file)) => file,
        (Some(_), Some(_)) => {
            let cause = "there are both --token and --token-file, or the variables STEMWIRE_TOKEN and STEMWIRE_TOKEN_FILE";
            return Err(CliError::new(Category::Usage, cause, "Leave one of them out."));
        }
    };
    let token = read_token(file)?;
    if can_others_read(file) {
        eprintln!(
            "warning: all users of this machine can read the token in {}; remove their permission (chmod o-r)",
            file.display()
        );
    }
    Ok(Some(token))
}
