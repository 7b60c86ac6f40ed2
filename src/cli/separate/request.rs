//! The request of `stemwire separate`, from its arguments.

use std::path::PathBuf;

use super::args::SeparateArgs;
use super::destination::Destination;
use super::inputs::Inputs;
use super::results::{FileOptions, OutputFormat, ResultSettings};
use super::time::Seconds;
use crate::audio::stem::BadStemName;
use crate::audio::{StemName, TimeSpan};
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::encode::ni_stems::NiStemPlan;
use crate::proto::reason::Category;
use crate::server::{can_others_read, read_pem, read_token};
use crate::session::Settings;
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
        let destination = Destination::new(args, &stems, inputs.songs.len() + inputs.failed.len())?;
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
