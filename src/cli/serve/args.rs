//! Arguments of `stemwire serve`, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{FalseyValueParser, RangedU64ValueParser};
use clap::{Args, ValueEnum};

use super::model_to_fetch::ModelToFetch;
use crate::cli::cluster_secret::ClusterSecretArgs;
use crate::cli::engine_args::EngineArgs;
use crate::cli::ffmpeg_option::FfmpegOption;
use crate::cli::otlp::OtlpArgs;
use crate::engine::fallback::circuit_breaker::CircuitBreakerConfig;
use crate::engine::limits::TimeLimits;
use crate::process::TOKEN_VARIABLE;
use crate::separation::Limits;
use crate::server::{ConnectionLimits, MemoryLimits, ServerConfig, TrustedProxies};

/// What computes segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Compute {
    /// The worker threads of the server.
    Here,
    /// The workers of the cluster.
    Workers,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    pub(super) listen: SocketAddr,
    /// Folder for sessions [default: the user's data folder]
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Object store that keeps all sessions, a folder or bucket: file:///mnt/stemwire, s3://…, gs://…, az://…; the data folder is then its cache
    #[arg(long, value_name = "URL", env = "STEMWIRE_STORE")]
    pub(super) store: Option<String>,
    /// NATS servers of the cluster, such as nats://10.0.0.1:4222,nats://10.0.0.2:4222, by which several gateways share the sessions of --store, and workers compute
    #[arg(long, value_name = "URL,URL", hide_env_values = true, env = "STEMWIRE_CLUSTER")]
    pub(super) cluster: Option<String>,
    /// With --cluster: address at which the other gateways reach this one [default: the --listen address]
    #[arg(long, value_name = "HOST:PORT", requires = "cluster", env = "STEMWIRE_CLUSTER_ADDRESS")]
    pub(super) cluster_address: Option<String>,
    /// What computes: here; or workers, which are started with `stemwire worker` and have the same models. ONNX Runtime, provider, precision and threads are then theirs
    #[arg(
        long,
        value_enum,
        default_value = "here",
        hide_possible_values = true,
        env = "STEMWIRE_COMPUTE"
    )]
    pub(super) compute: Compute,
    #[command(flatten)]
    pub(super) cluster_secret: ClusterSecretArgs,
    #[command(flatten)]
    pub(in crate::cli) otlp: OtlpArgs,
    /// Fallback chain: models to use, in this order, if a request names none or a model fails
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', env = "STEMWIRE_ENGINES")]
    pub(super) engines: Vec<String>,
    /// With --store: models to fetch from it, unless they are installed: names of published ones, or NAME=SHA256 as `stemwire models push` prints it. With --compute workers, only workers fetch their files
    #[arg(
        long,
        value_name = "NAME,NAME",
        value_delimiter = ',',
        requires = "store",
        env = "STEMWIRE_FETCH_MODELS"
    )]
    pub(super) fetch_models: Vec<ModelToFetch>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    /// Time limit for measuring providers at start-up; models not measured by then run on cpu until the next start
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration, env = "STEMWIRE_AUTOTUNE_TIME")]
    autotune_time: Duration,
    /// Name of --autotune-time in 0.1.0
    #[arg(long, value_name = "TIME", hide = true, value_parser = humantime::parse_duration, env = "STEMWIRE_TRIAL_TIME")]
    trial_time: Option<Duration>,
    /// Token that every request must have
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true)]
    pub(super) token: Option<String>,
    /// File with one token per line, of which every request must have one; reloaded when it changes
    #[arg(long, value_name = "FILE", env = "STEMWIRE_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Wrong tokens per minute from one IPv4 address or IPv6 network of 64 bits; more are refused, right ones never
    #[arg(long, value_name = "N", default_value_t = ServerConfig::default().max_guesses, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_GUESSES")]
    pub(super) max_guesses: u32,
    /// Allow a --listen address that other machines can reach without a token
    #[arg(long, env = "STEMWIRE_INSECURE", value_parser = FalseyValueParser::new())]
    pub(super) insecure: bool,
    /// Host names of the server, in addition to localhost and IP addresses
    #[arg(long, value_name = "HOST", value_delimiter = ',', env = "STEMWIRE_ALLOW_HOST")]
    pub(super) allow_host: Vec<String>,
    /// Origins of web pages that may call the server, in addition to its own
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "STEMWIRE_ALLOW_ORIGIN")]
    pub(super) allow_origin: Vec<String>,
    /// Certificate chain in PEM format; enables TLS; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "STEMWIRE_TLS_CERT")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM format
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "STEMWIRE_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,
    /// Refuse to start where decoders cannot be fully confined
    #[arg(long, env = "STEMWIRE_REQUIRE_SANDBOX", value_parser = FalseyValueParser::new())]
    pub(super) require_sandbox: bool,
    #[command(flatten)]
    pub(super) ffmpeg: FfmpegOption,
    // Last: their headings hold for all that follows.
    #[command(flatten)]
    pub(super) connections: ConnectionArgs,
    #[command(flatten)]
    pub(super) failure: FailureArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
}

impl ServeArgs {
    /// Time limit for measuring providers, under its present or its former name.
    pub(super) fn autotune_time(&self) -> Duration {
        self.trial_time.unwrap_or(self.autotune_time)
    }
}

/// [`ConnectionLimits`].
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct ConnectionArgs {
    /// Connections in all; fewer if the system's limit of open files is too low
    #[arg(long, value_name = "N", default_value_t = ConnectionLimits::default().total, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_CONNECTIONS")]
    pub(super) max_connections: usize,
    /// Connections from one IPv4 address or one IPv6 network of 64 bits
    #[arg(long, value_name = "N", default_value_t = ConnectionLimits::default().per_client, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_CLIENT_CONNECTIONS")]
    pub(super) max_client_connections: usize,
    /// Addresses or networks of proxies that name the client in X-Forwarded-For, and their path in X-Forwarded-Prefix
    #[arg(long, value_name = "ADDRESS,NETWORK", env = "STEMWIRE_TRUSTED_PROXIES")]
    pub(super) trusted_proxies: Option<TrustedProxies>,
    /// Time from accepting a connection to the head of its first request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, env = "STEMWIRE_HEAD_TIME")]
    pub(super) head_time: Duration,
    /// Time without a request after which a connection is closed
    #[arg(long, value_name = "TIME", default_value = "70s", value_parser = humantime::parse_duration, env = "STEMWIRE_IDLE_CONNECTION")]
    pub(super) idle_connection: Duration,
    /// Time after which a call ends if its client reads nothing of the answer
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, env = "STEMWIRE_UNREAD_ANSWER")]
    pub(super) unread_answer: Duration,
    /// Calls under way in all; one client may have half of those that others leave
    #[arg(long, value_name = "N", default_value_t = ConnectionLimits::default().calls, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_CALLS")]
    pub(super) max_calls: usize,
    /// Memory for messages of all calls that have not arrived completely or have not been processed, at least 4 MiB
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(MemoryLimits::default().received_bytes), value_parser = at_least(MemoryLimits::LEAST.received_bytes), env = "STEMWIRE_RECEIVE_MEMORY")]
    pub(super) receive_memory: ByteSize,
    /// Memory for answers of all calls that have not been sent, at least 4 MiB
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(MemoryLimits::default().unsent_bytes), value_parser = at_least(MemoryLimits::LEAST.unsent_bytes), env = "STEMWIRE_SEND_MEMORY")]
    pub(super) send_memory: ByteSize,
}

/// [`TimeLimits`] and [`CircuitBreakerConfig`].
#[derive(Debug, Args)]
#[command(next_help_heading = "Engine failures")]
pub(in crate::cli) struct FailureArgs {
    /// Time limit for a segment, as a multiple of the typical time of the engine
    #[arg(long, value_name = "N", default_value_t = TimeLimits::default().factor, value_parser = clap::value_parser!(u32).range(2..=10_000), allow_negative_numbers = true, env = "STEMWIRE_ENGINE_TIME_FACTOR")]
    pub(super) engine_time_factor: u32,
    /// Minimum of the time limit for a segment
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LEAST_TIME")]
    pub(super) engine_least_time: Duration,
    /// Time limit for loading a model
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_LOAD_TIME")]
    pub(super) engine_load_time: Duration,
    /// Consecutive failures after which new sessions use the next engine
    #[arg(long, value_name = "N", default_value_t = CircuitBreakerConfig::default().failures, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true, env = "STEMWIRE_ENGINE_FAILURES")]
    pub(super) engine_failures: u32,
    /// Time until a failed engine is probed again; doubles with each failure, up to 32 times this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, env = "STEMWIRE_ENGINE_PROBE")]
    pub(super) engine_probe: Duration,
}

/// [`Limits`], the decoder's limits, and the time to stop.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct LimitArgs {
    /// Size limit of an upload
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().upload_bytes), env = "STEMWIRE_MAX_UPLOAD")]
    pub(super) max_upload: ByteSize,
    /// Duration limit of a track; a live source ends there, a longer file is refused
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = humantime::parse_duration, env = "STEMWIRE_MAX_TRACK")]
    pub(super) max_track: Duration,
    /// Size limit of a decoded track, as a multiple of its upload; an hour of audio is always allowed
    #[arg(long, value_name = "N", default_value_t = Limits::default().expansion, value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_EXPANSION")]
    pub(super) max_expansion: u64,
    /// Sessions that can compute at the same time
    #[arg(long, value_name = "N", default_value_t = Limits::default().slots, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_OPEN")]
    pub(super) max_open: usize,
    /// Sessions that can wait in the queue
    #[arg(long, value_name = "N", default_value_t = Limits::default().queued_sessions, allow_negative_numbers = true, env = "STEMWIRE_MAX_QUEUED")]
    pub(super) max_queued: usize,
    /// Sessions of one client address that can compute or wait in the queue, with its incomplete uploads of less than 4 KiB
    #[arg(long, value_name = "N", default_value_t = Limits::default().client_sessions, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_CLIENT_SESSIONS")]
    pub(super) max_client_sessions: usize,
    /// Sessions with slow uploads that can wait for more bytes; beyond it, the one that has waited the longest is paused
    #[arg(long, value_name = "N", default_value_t = Limits::default().parked_sessions, allow_negative_numbers = true, env = "STEMWIRE_MAX_PARKED")]
    pub(super) max_parked: usize,
    /// With --compute workers: new sessions are refused from this many queued segments on, of all gateways, for each segment that the workers compute at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().backlog, value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_BACKLOG")]
    pub(super) max_backlog: u64,
    /// Models of an ensemble; all of them are in memory at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..), allow_negative_numbers = true, env = "STEMWIRE_MAX_ENSEMBLE")]
    pub(super) max_ensemble: usize,
    /// Time without upload bytes after which a session is paused
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_IDLE_UPLOAD")]
    pub(super) idle_upload: Duration,
    /// Bytes per second that an upload must receive on average
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().upload_bytes_per_s), env = "STEMWIRE_MIN_UPLOAD_RATE")]
    pub(super) min_upload_rate: ByteSize,
    /// Time for which a paused session can be resumed
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration, env = "STEMWIRE_RESUME_WINDOW")]
    pub(super) resume_window: Duration,
    /// Time for which ended sessions are kept
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration, env = "STEMWIRE_KEEP")]
    pub(super) keep: Duration,
    /// Disk space limit of all sessions; when it is reached, the oldest ended sessions are deleted and the others wait
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().retention.bytes), env = "STEMWIRE_MAX_STORED")]
    pub(super) max_stored: ByteSize,
    /// With --store: disk space above which ended sessions are kept in the object store only [default: no limit]
    #[arg(long, value_name = "BYTES", requires = "store", env = "STEMWIRE_MAX_CACHE")]
    pub(super) max_cache: Option<ByteSize>,
    /// Disk space that is kept free; sessions wait for it
    #[arg(long, value_name = "BYTES", default_value_t = ByteSize(Limits::default().free_bytes), env = "STEMWIRE_MIN_FREE")]
    pub(super) min_free: ByteSize,
    /// Time that open sessions have to pause when the server stops
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, env = "STEMWIRE_DRAIN")]
    pub(super) drain: Duration,
    /// Address space limit of a decoder
    #[arg(long, value_name = "BYTES", default_value = "1GiB", env = "STEMWIRE_DECODER_MEMORY")]
    pub(super) decoder_memory: ByteSize,
    /// Processor time limit of a decoder
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_TIME")]
    pub(super) decoder_time: Duration,
    /// Time without progress after which a decoder is stopped
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, env = "STEMWIRE_DECODER_STALL")]
    pub(super) decoder_stall: Duration,
    /// Downloads that FFmpeg encodes at the same time; more are refused until one has ended
    #[arg(long, value_name = "N", default_value_t = ServerConfig::default().max_encoders, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024), allow_negative_numbers = true, env = "STEMWIRE_MAX_ENCODERS")]
    pub(super) max_encoders: usize,
}

/// Reads a size, and refuses one below `least` bytes.
fn at_least(least: u64) -> impl Fn(&str) -> Result<ByteSize, String> + Clone + Send + Sync {
    move |text| {
        let size: ByteSize = text.parse()?;
        let least = ByteSize(least);
        if size < least { Err(format!("it must be at least {least}")) } else { Ok(size) }
    }
}
