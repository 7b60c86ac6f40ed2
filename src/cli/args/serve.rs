//! `stemwire serve`, and the limits that it keeps.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use clap::builder::{FalseyValueParser, RangedU64ValueParser};

use super::EngineArgs;
use crate::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use crate::engine::limits::TimeLimits;
use crate::separation::Limits;

#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    pub(in crate::cli) listen: SocketAddr,
    /// Folder for sessions; in the user's data folder if left out
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    /// Models to try in this order when a request names none or when one fails
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', env = "STEMWIRE_ENGINES")]
    pub(in crate::cli) engines: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) engine: EngineArgs,
    /// Time limit for measuring providers at start-up; models not measured by then run on cpu until the next start
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration, env = "STEMWIRE_AUTOTUNE_TIME")]
    autotune_time: Duration,
    /// Name of --autotune-time in 0.1.0
    #[arg(long, value_name = "TIME", hide = true, value_parser = humantime::parse_duration, env = "STEMWIRE_TRIAL_TIME")]
    trial_time: Option<Duration>,
    /// Token that every call must carry
    #[arg(long, env = "STEMWIRE_TOKEN", hide_env_values = true)]
    pub(in crate::cli) token: Option<String>,
    /// Serve other machines without a token
    #[arg(long, env = "STEMWIRE_INSECURE", value_parser = FalseyValueParser::new())]
    pub(in crate::cli) insecure: bool,
    /// Host name under which the server may be called, beside localhost and IP addresses
    #[arg(long, value_name = "HOST", value_delimiter = ',', env = "STEMWIRE_ALLOW_HOST")]
    pub(in crate::cli) allow_host: Vec<String>,
    /// LibraryOrigin of web pages that may call the server, beside its own
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "STEMWIRE_ALLOW_ORIGIN")]
    pub(in crate::cli) allow_origin: Vec<String>,
    /// Certificate chain as PEM, to serve TLS
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "STEMWIRE_TLS_CERT")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// Key of the certificate as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "STEMWIRE_TLS_KEY")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    // Last: their headings hold for all that follows.
    #[command(flatten)]
    pub(in crate::cli) failure: FailureArgs,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
}

impl Serve {
    /// Time limit for measuring providers, under its present or its former name.
    pub(in crate::cli) fn autotune_time(&self) -> Duration {
        self.trial_time.unwrap_or(self.autotune_time)
    }
}

/// [`TimeLimits`] and [`CircuitBreakerConfig`] from the command line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engines that fail")]
pub(in crate::cli) struct FailureArgs {
    /// How many times its usual time an engine may take for a segment
    #[arg(long, value_name = "N", default_value_t = TimeLimits::default().factor, value_parser = clap::value_parser!(u32).range(2..=10_000), allow_negative_numbers = true, env = "STEMWIRE_ENGINE_TIME_FACTOR")]
    pub(in crate::cli) engine_time_factor: u32,
    /// What an engine may take for a segment in any case
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LEAST_TIME")]
    pub(in crate::cli) engine_least_time: Duration,
    /// What loading a model may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LOAD_TIME")]
    pub(in crate::cli) engine_load_time: Duration,
    /// Failures in a row after which new songs go to the next engine
    #[arg(long, value_name = "N", default_value_t = CircuitBreakerConfig::default().failures, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true, env = "STEMWIRE_ENGINE_FAILURES")]
    pub(in crate::cli) engine_failures: u32,
    /// How soon such an engine is tried again; doubled each time up to 32 times this
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_PROBE")]
    pub(in crate::cli) engine_probe: Duration,
}

/// [`Limits`], as typed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct LimitArgs {
    /// Bytes of one upload
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().upload_bytes), env = "STEMWIRE_MAX_UPLOAD")]
    pub(in crate::cli) max_upload: ByteSize,
    /// Duration of one track; a live source ends at it, a longer file is refused
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = humantime::parse_duration, env = "STEMWIRE_MAX_TRACK")]
    pub(in crate::cli) max_track: Duration,
    /// Sessions that receive and compute at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().open_sessions, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_OPEN")]
    pub(in crate::cli) max_open: usize,
    /// Sessions that wait for a place
    #[arg(long, value_name = "N", default_value_t = Limits::default().queued_sessions, allow_negative_numbers = true, env = "STEMWIRE_MAX_QUEUED")]
    pub(in crate::cli) max_queued: usize,
    /// How long an upload may pause before its session rests
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_IDLE_UPLOAD")]
    pub(in crate::cli) idle_upload: Duration,
    /// How long a resting session can be resumed
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration, env = "STEMWIRE_RESUME_WINDOW")]
    pub(in crate::cli) resume_window: Duration,
    /// How long ended sessions are kept
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration, env = "STEMWIRE_KEEP")]
    pub(in crate::cli) keep: Duration,
    /// Bytes that all sessions may hold; the oldest ended ones go first
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().retention.bytes), env = "STEMWIRE_MAX_STORED")]
    pub(in crate::cli) max_stored: ByteSize,
    /// Bytes that stay free on the disk
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().free_bytes), env = "STEMWIRE_MIN_FREE")]
    pub(in crate::cli) min_free: ByteSize,
    /// How long open sessions have to rest when the server ends
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, env = "STEMWIRE_DRAIN")]
    pub(in crate::cli) drain: Duration,
    /// Address space of a decoder
    #[arg(long, value_name = "BYTES", default_value = "1GiB", env = "STEMWIRE_DECODER_MEMORY")]
    pub(in crate::cli) decoder_memory: ByteSize,
    /// Processor time of a decoder
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_TIME")]
    pub(in crate::cli) decoder_time: Duration,
    /// How long a decoder may be silent while it has bytes to work on
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_STALL")]
    pub(in crate::cli) decoder_stall: Duration,
}
