//! What all commands that compute have in common.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::engine::{PrecisionChoice, ProviderChoice};

/// Where the engines come from; the same for all commands that compute.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct EngineArgs {
    /// Folder with models beside the built-in one
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    pub(in crate::cli) models_dir: Option<PathBuf>,
    /// Compute threads in all; as many as there are cores if left out
    #[arg(long, value_name = "N", env = "STEMWIRE_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub(in crate::cli) threads: Option<u16>,
    /// Segments computed at once, which share the threads; one for every four threads if left out
    #[arg(long, value_name = "N", env = "STEMWIRE_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub(in crate::cli) workers: Option<u16>,
    /// What computes: auto, cpu, openvino or cuda. auto is the fastest that is installed and keeps the numbers
    #[arg(long, value_name = "NAME", default_value_t = ProviderChoice::Auto, env = "STEMWIRE_PROVIDER")]
    pub(in crate::cli) provider: ProviderChoice,
    /// exact: 32-bit floats; fast: shorter ones within, where they are faster and near enough
    #[arg(long, value_name = "NAME", default_value_t = PrecisionChoice::Exact, env = "STEMWIRE_PRECISION")]
    pub(in crate::cli) precision: PrecisionChoice,
    /// ONNX Runtime's library, or a folder with it [env: STEMWIRE_RUNTIME]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) runtime: Option<PathBuf>,
    /// Never install anything
    #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
    pub(in crate::cli) offline: bool,
}
