//! Exactly what was typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::score::ScoreArgs;
use crate::engine::ModelName;
use crate::engine::breaker::BreakerConfig;
use crate::engine::pool::TimeLimits;
use crate::engine::runtime::Provider;
use crate::separation::Limits;

/// Separates music into stems: vocals, drums, bass, other, accompaniment.
#[derive(Debug, Parser)]
#[command(name = "stemwire", version, about, max_term_width = 100, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve separation over gRPC
    Serve(Serve),
    /// Separate songs into WAV files
    Separate(Separate),
    /// Compare stems with the true ones
    Score(ScoreArgs),
    /// Show, download, import and remove models
    Models(Models),
    /// Show or install ONNX Runtime, which runs the models
    Runtime(RuntimeCommand),
    /// Check that everything is in place
    Doctor(Doctor),
    /// Decode an upload while it grows
    #[command(hide = true)]
    Decode(Decode),
}

/// Where the engines come from; the same for all commands that compute.
#[derive(Debug, Clone, Args)]
pub(super) struct EngineArgs {
    /// Folder with models beside the built-in one
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    pub(super) models_dir: Option<PathBuf>,
    /// Compute threads in all; as many as there are cores if left out
    #[arg(long, value_name = "N", env = "STEMWIRE_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// ONNX Runtime's library, or a folder with it [env: STEMWIRE_RUNTIME]
    #[arg(long, value_name = "FILE")]
    pub(super) runtime: Option<PathBuf>,
    /// Never install anything
    #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
    pub(super) offline: bool,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    pub(super) listen: SocketAddr,
    /// Folder for sessions; in the user's data folder if left out
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Models to try in this order when a request names none or when one fails
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', env = "STEMWIRE_ENGINES")]
    pub(super) engines: Vec<String>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    /// Token that every call must carry
    #[arg(long, env = "STEMWIRE_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Serve other machines without a token
    #[arg(long, env = "STEMWIRE_INSECURE", value_parser = FalseyValueParser::new())]
    pub(super) insecure: bool,
    /// Host name under which the server may be called, beside localhost and IP addresses
    #[arg(long, value_name = "HOST", value_delimiter = ',', env = "STEMWIRE_ALLOW_HOST")]
    pub(super) allow_host: Vec<String>,
    /// Origin of web pages that may call the server, beside its own
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "STEMWIRE_ALLOW_ORIGIN")]
    pub(super) allow_origin: Vec<String>,
    /// Certificate chain as PEM, to serve TLS
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "STEMWIRE_TLS_CERT")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Key of the certificate as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "STEMWIRE_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,
    // Last: their headings hold for all that follows.
    #[command(flatten)]
    pub(super) failure: FailureArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

/// [`TimeLimits`] and [`BreakerConfig`], as typed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engines that fail")]
pub(super) struct FailureArgs {
    /// How many times its usual time an engine may take for a segment
    #[arg(long, value_name = "N", default_value_t = TimeLimits::default().factor, value_parser = clap::value_parser!(u32).range(2..=10_000), env = "STEMWIRE_ENGINE_TIME_FACTOR")]
    pub(super) engine_time_factor: u32,
    /// What an engine may take for a segment in any case
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LEAST_TIME")]
    pub(super) engine_least_time: Duration,
    /// What loading a model may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LOAD_TIME")]
    pub(super) engine_load_time: Duration,
    /// Failures in a row after which new songs go to the next engine
    #[arg(long, value_name = "N", default_value_t = BreakerConfig::default().failures, value_parser = clap::value_parser!(u32).range(1..), env = "STEMWIRE_ENGINE_FAILURES")]
    pub(super) engine_failures: u32,
    /// How soon such an engine is tried again; doubled each time up to 32 times this
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_PROBE")]
    pub(super) engine_probe: Duration,
}

/// [`Limits`], as typed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Bytes of one upload
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().upload_bytes), env = "STEMWIRE_MAX_UPLOAD")]
    pub(super) max_upload: ByteSize,
    /// Duration of one track; a live source ends at it, a longer file is refused
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = humantime::parse_duration, env = "STEMWIRE_MAX_TRACK")]
    pub(super) max_track: Duration,
    /// Sessions that receive and compute at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().open_sessions, env = "STEMWIRE_MAX_OPEN")]
    pub(super) max_open: usize,
    /// Sessions that wait for a place
    #[arg(long, value_name = "N", default_value_t = Limits::default().queued_sessions, env = "STEMWIRE_MAX_QUEUED")]
    pub(super) max_queued: usize,
    /// How long an upload may pause before its session rests
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_IDLE_UPLOAD")]
    pub(super) idle_upload: Duration,
    /// How long a resting session can be resumed
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration, env = "STEMWIRE_RESUME_WINDOW")]
    pub(super) resume_window: Duration,
    /// How long ended sessions are kept
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration, env = "STEMWIRE_KEEP")]
    pub(super) keep: Duration,
    /// Bytes that all sessions may hold; the oldest ended ones go first
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().retention.bytes), env = "STEMWIRE_MAX_STORED")]
    pub(super) max_stored: ByteSize,
    /// Bytes that stay free on the disk
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().free_bytes), env = "STEMWIRE_MIN_FREE")]
    pub(super) min_free: ByteSize,
    /// How long open sessions have to rest when the server ends
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, env = "STEMWIRE_DRAIN")]
    pub(super) drain: Duration,
    /// Address space of a decoder
    #[arg(long, value_name = "BYTES", default_value = "1GiB", env = "STEMWIRE_DECODER_MEMORY")]
    pub(super) decoder_memory: ByteSize,
    /// Processor time of a decoder
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_TIME")]
    pub(super) decoder_time: Duration,
    /// How long a decoder may be silent while it has bytes to work on
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_STALL")]
    pub(super) decoder_stall: Duration,
}

#[derive(Debug, Args)]
pub(super) struct Separate {
    /// Songs; `-` reads standard input
    #[arg(required = true, value_name = "SONG")]
    pub(super) songs: Vec<PathBuf>,
    /// Folder for the stems, which go to DIR/SONG/STEM.wav
    #[arg(short, long, value_name = "DIR", default_value = "stems")]
    pub(super) output: PathBuf,
    /// Model; the first of the chain if left out
    #[arg(long, value_name = "NAME", env = "STEMWIRE_MODEL")]
    pub(super) model: Option<String>,
    /// Stems wanted; all of the model's if left out
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) stems: Vec<String>,
    /// Only this stem and everything else
    #[arg(long, value_name = "STEM", conflicts_with = "stems", value_parser = ["vocals"])]
    pub(super) two_stems: Option<String>,
    /// Server that computes; this machine does if left out
    #[arg(long, value_name = "URL", env = "STEMWIRE_SERVER")]
    pub(super) server: Option<String>,
    /// The server's token
    #[arg(long, env = "STEMWIRE_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Authority that has signed the server's certificate, as PEM
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TLS_CA")]
    pub(super) tls_ca: Option<PathBuf>,
    /// How loudness is made fit for the model
    #[arg(long, value_enum, default_value_t = NormalizationArg::Streaming)]
    pub(super) normalization: NormalizationArg,
    /// Form of the files
    #[arg(long, value_enum, default_value_t = FormatArg::WavF32)]
    pub(super) format: FormatArg,
    /// Sample rate of the stems
    #[arg(long, value_enum, default_value_t = RateArg::Model)]
    pub(super) rate: RateArg,
    /// Fail where the model fails, instead of going on with another
    #[arg(long)]
    pub(super) no_fallback: bool,
    /// How much of a segment overlaps the next, 0 to 0.9
    #[arg(long, value_name = "FRACTION")]
    pub(super) overlap: Option<f64>,
    /// What a mask of Spleeter's kind is worth above 11 kHz, where its model does not look
    #[arg(long, value_enum, default_value_t = MaskExtensionArg::Average)]
    pub(super) mask_extension: MaskExtensionArg,
    /// What the accompaniment is made of
    #[arg(long, value_enum, default_value_t = AccompanimentArg::Sum)]
    pub(super) accompaniment: AccompanimentArg,
    /// Lower all stems by one gain where integers would clip, so that they still sum
    #[arg(long)]
    pub(super) fit: bool,
    /// Form of the input if it is raw PCM: ENCODING:RATE:CHANNELS, such as s16le:48000:2
    #[arg(long, value_name = "FORM", value_parser = super::decode::parse_raw)]
    pub(super) raw: Option<crate::session::settings::RawPcm>,
    /// Write this stem as raw PCM to standard output as it comes, and no files
    #[arg(long, value_name = "STEM", conflicts_with_all = ["two_stems", "stems", "fit"])]
    pub(super) stdout: Option<String>,
    /// Make stems anew that are there
    #[arg(short, long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NormalizationArg {
    /// At once
    Streaming,
    /// By the whole track, as the reference does
    Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MaskExtensionArg {
    /// As much as on average below
    Average,
    /// Nothing, as in Spleeter's published configuration
    Zeros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AccompanimentArg {
    /// Of all stems but the vocals
    Sum,
    /// Of the song without the vocals, which no other stem is needed for
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// 32-bit float, never clips
    WavF32,
    /// 24-bit integer
    WavS24,
    /// 16-bit integer
    WavS16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RateArg {
    /// The model's
    Model,
    /// The song's own
    Source,
}

#[derive(Debug, Args)]
pub(super) struct Models {
    #[command(subcommand)]
    pub(super) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models: those that are here, and those that their authors publish
    List {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Download a published model from its authors, or go on with a download that broke off
    Pull {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Server that has the files under the same paths as the authors'
        #[arg(long, value_name = "URL", env = "STEMWIRE_MODELS_MIRROR")]
        mirror: Option<String>,
        /// Never use the network
        #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
        offline: bool,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Take a published model, or a fine-tune of HTDemucs, from files that are here
    Import {
        /// The name of the published model, or the name that the fine-tune shall have
        #[arg(value_name = "NAME")]
        name: ModelName,
        /// Its files, or a folder with them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Take files that nobody vouches for; every answer will say so
        #[arg(long)]
        allow_unverified: bool,
        /// Graph of a network that is not built in, made by models/tools/make_graph.py
        #[arg(long, value_name = "FILE", requires = "allow_unverified")]
        graph: Option<PathBuf>,
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Check the files of all models that are here
    Verify {
        #[command(flatten)]
        folder: ModelsFolder,
    },
    /// Remove a model
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        folder: ModelsFolder,
    },
}

/// Where models are.
#[derive(Debug, Args)]
pub(super) struct ModelsFolder {
    /// Folder with models beside the built-in one
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    pub(super) models_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RuntimeCommand {
    #[command(subcommand)]
    pub(super) command: RuntimeAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum RuntimeAction {
    /// List what can be installed, what is, and what would be used
    List,
    /// Install ONNX Runtime into the user's cache
    Install {
        /// cpu, openvino or cuda
        #[arg(default_value_t = Provider::Cpu)]
        provider: Provider,
        /// The published wheel, for people without pip
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Address that the server would listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    pub(super) listen: SocketAddr,
    /// Folder for sessions
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

#[derive(Debug, Args)]
pub(super) struct Decode {
    /// The upload
    #[arg(long)]
    pub(super) upload: PathBuf,
    /// The rate to bring it to
    #[arg(long)]
    pub(super) rate: u32,
    /// Address space in bytes
    #[arg(long)]
    pub(super) memory: u64,
    /// Processor time in seconds
    #[arg(long)]
    pub(super) processor_time: u64,
    /// Its form if it is raw PCM
    #[arg(long, value_parser = super::decode::parse_raw)]
    pub(super) raw: Option<crate::session::settings::RawPcm>,
}
