//! Arguments of `stemwire separate`, as typed.

use std::num::NonZero;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use super::results::OutputFormat;
use super::time::Seconds;
use crate::audio::FileFormat;
use crate::cli::engine_args::EngineArgs;
use crate::cli::ffmpeg_option::FfmpegOption;
use crate::dsp::mask::MaskExtension;
use crate::model::choice::Quality;
use crate::model::ensemble_spec::EnsembleSpec;
use crate::process::TOKEN_VARIABLE;
use crate::session::name_template::NameTemplate;
use crate::session::settings::{Accompaniment, Normalization, OutputChannels, OutputRate, RawPcm};

#[derive(Debug, Args)]
pub(in crate::cli) struct SeparateArgs {
    /// Audio files, folders of them, and patterns such as '*.flac'; `-` reads standard input
    #[arg(required = true, value_name = "SONG")]
    pub(super) songs: Vec<PathBuf>,
    /// Output folder; stems are written to DIR/SONG/STEM.wav, or another extension, and DIR/FOLDER/SONG/STEM.wav for songs
    /// in folders below a named one
    #[arg(short, long, value_name = "DIR", default_value = "stems")]
    pub(super) output: PathBuf,
    /// Names of the files, without their extension, from {title}, {artist}, {album}, {track}, {source}, {model} and {stem}.
    /// What precedes the last `/` names the folder of the song, below DIR
    #[arg(long, value_name = "TEMPLATE", default_value = NameTemplate::DEFAULT)]
    pub(super) name: NameTemplate,
    /// Model [default: the first of the fallback chain]
    #[arg(long, value_name = "NAME", env = "STEMWIRE_MODEL")]
    pub(super) model: Option<String>,
    /// Fallback chain: models to use, in this order, if there is no --model or a model fails
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(super) engines: Vec<String>,
    /// Choose the model among the installed ones that yield the stems, in place of --model
    #[arg(long, value_enum)]
    pub(super) quality: Option<Quality>,
    /// Several models as one, in place of --model: STEM=MODEL, separated by commas, MODEL+MODEL for their mean, and rest=MODEL
    /// for all other stems, such as vocals=melband-kim,rest=scnet-large
    #[arg(long, value_name = "LIST", conflicts_with = "quality")]
    pub(super) ensemble: Option<EnsembleSpec>,
    /// Stems to write, separated by commas, such as bass,no_drums [default: all stems of the model]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) stems: Vec<String>,
    /// Write this stem and everything but it only: vocals and accompaniment, drums and no_drums
    #[arg(long, value_name = "STEM", conflicts_with = "stems")]
    pub(super) two_stems: Option<String>,
    /// Server that computes [default: this machine computes]
    #[arg(long, value_name = "URL", env = "STEMWIRE_SERVER")]
    pub(super) server: Option<String>,
    /// Token of the server
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true)]
    pub(super) token: Option<String>,
    /// File whose first line that is no comment is the token of the server
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificate authority of the server, in PEM format
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TLS_CA")]
    pub(super) tls_ca: Option<PathBuf>,
    /// Part of the track that sets the level for normalization
    #[arg(long, value_enum, default_value_t = Normalization::Streaming)]
    pub(super) normalization: Normalization,
    /// Format of the files
    #[arg(long, value_enum, default_value_t = OutputFormat::Each(FileFormat::WavF32))]
    pub(super) format: OutputFormat,
    /// Bitrate of mp3, opus and m4a-aac in kbit/s [default: 256, 160 and 256; 128, 96 and 128 for one channel]
    #[arg(long, value_name = "KBITS", conflicts_with = "stdout")]
    pub(super) bitrate: Option<u32>,
    /// Sample rate of the stems
    #[arg(long, value_enum, default_value_t = OutputRate::Model)]
    pub(super) rate: OutputRate,
    /// Fail if the model fails, instead of continuing with another model
    #[arg(long)]
    pub(super) no_fallback: bool,
    /// Overlap of segments, as a fraction from 0 to 0.9 [default: that of the model]
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    pub(super) overlap: Option<f64>,
    /// Mask above 11 kHz, where Spleeter models compute none
    #[arg(long, value_enum, default_value_t = MaskExtension::Average)]
    pub(super) mask_extension: MaskExtension,
    /// How the accompaniment, or everything but another stem, is computed
    #[arg(long, value_enum, default_value_t = Accompaniment::Sum)]
    pub(super) accompaniment: Accompaniment,
    /// Lower all stems by one gain if the format would clip
    #[arg(long)]
    pub(super) fit: bool,
    /// Write no tags and no cover of the song into the files
    #[arg(long)]
    pub(super) no_tags: bool,
    /// Read raw PCM in the form ENCODING:RATE:CHANNELS, such as s16le:48000:2
    #[arg(long, value_name = "FORM")]
    pub(super) raw: Option<RawPcm>,
    /// Separate the part of each song from this time on, in seconds or as m:ss
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<Seconds>,
    /// End of that part
    #[arg(long, value_name = "TIME")]
    pub(super) end: Option<Seconds>,
    /// Audio track of a file with several, such as a film, from 1 [default: the first]
    #[arg(long, value_name = "N", conflicts_with = "raw")]
    pub(super) track: Option<NonZero<u32>>,
    /// Channels of the stems
    #[arg(long, value_enum, default_value_t = OutputChannels::Stereo)]
    pub(super) channels: OutputChannels,
    /// Write this stem to standard output as raw PCM while it is computed; write no files
    #[arg(long, value_name = "STEM", conflicts_with_all = ["two_stems", "stems", "fit", "output", "name", "force"])]
    pub(super) stdout: Option<String>,
    /// Compute existing stems again, and write them over files that are no result
    #[arg(short, long)]
    pub(super) force: bool,
    /// Songs that are separated at a time
    #[arg(short, long, value_name = "N", default_value_t = NonZero::<u8>::MIN)]
    pub(super) jobs: NonZero<u8>,
    /// Report to standard output as lines of JSON
    #[arg(long, conflicts_with = "stdout")]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) ffmpeg: FfmpegOption,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// Options that have no effect if a server computes, but for --ffmpeg with formats that it encodes. --offline holds in any
/// case.
const LOCAL_OPTIONS: [(&str, &str); 8] = [
    ("engines", "--engines <NAME,NAME>"),
    ("ffmpeg", "--ffmpeg <auto|never|PATH>"),
    ("models_dir", "--models-dir <DIR>"),
    ("threads", "--threads <N>"),
    ("workers", "--workers <N>"),
    ("provider", "--provider <NAME>"),
    ("precision", "--precision <NAME>"),
    ("runtime", "--runtime <FILE>"),
];

impl SeparateArgs {
    /// Refuses `--quality` and `--ensemble` beside `--model`, and options that have no effect if a server computes. Variables of refused
    /// options are ignored: they may be set for other runs.
    ///
    /// # Errors
    /// `ArgumentConflict`.
    pub(in crate::cli) fn check(matches: &ArgMatches) -> Result<(), clap::Error> {
        let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let choices = [("quality", "--quality <QUALITY>"), ("ensemble", "--ensemble <LIST>")];
        if let Some((_, option)) = choices.iter().find(|(id, _)| is_typed(id) && is_typed("model"))
        {
            let text = format!("the argument '{option}' cannot be used with '--model <NAME>'\n");
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
        let server = match matches.value_source("server") {
            None | Some(ValueSource::DefaultValue) => return Ok(()),
            Some(ValueSource::EnvVariable) => "STEMWIRE_SERVER",
            Some(_) => "'--server <URL>'",
        };
        // Files are encoded here, also those of a server's stems.
        let format = matches.get_one::<OutputFormat>("format");
        let uses_ffmpeg = format.is_some_and(|format| format.by_ffmpeg().is_some());
        match LOCAL_OPTIONS.iter().find(|(id, _)| is_typed(id) && !(*id == "ffmpeg" && uses_ffmpeg))
        {
            None => Ok(()),
            Some((_, option)) => {
                let text = format!("the argument '{option}' cannot be used with {server}\n");
                Err(clap::Error::raw(ErrorKind::ArgumentConflict, text))
            }
        }
    }
}
