//! Options of every command that computes.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::engine::{PrecisionChoice, ProviderChoice};

/// Where models and ONNX Runtime are, and what computes.
#[derive(Debug, Clone, Args)]
pub(super) struct EngineArgs {
    /// Folder of installed models [default: models in the user's data folder]
    #[arg(long, value_name = "DIR", env = "STEMWIRE_MODELS_DIR")]
    pub(super) models_dir: Option<PathBuf>,
    /// Compute threads in total [default: the number of CPU cores]
    #[arg(long, value_name = "N", env = "STEMWIRE_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub(super) threads: Option<u16>,
    /// Segments computed in parallel, which share the threads [default: one per four threads]
    #[arg(long, value_name = "N", env = "STEMWIRE_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub(super) workers: Option<u16>,
    /// Execution provider: auto, cpu, openvino or cuda; auto: the fastest installed one above the SNR threshold
    #[arg(long, value_name = "NAME", default_value_t = ProviderChoice::Auto, env = "STEMWIRE_PROVIDER")]
    pub(super) provider: ProviderChoice,
    /// exact: 32-bit floats; fast: allow bf16/TF32 where faster and at least 40 dB SNR
    #[arg(long, value_name = "NAME", default_value_t = PrecisionChoice::Exact, env = "STEMWIRE_PRECISION")]
    pub(super) precision: PrecisionChoice,
    /// ONNX Runtime library, or a folder that contains it [env: STEMWIRE_RUNTIME]
    #[arg(long, value_name = "FILE")]
    pub(super) runtime: Option<PathBuf>,
    /// Never download or install ONNX Runtime
    #[arg(long, env = "STEMWIRE_OFFLINE", value_parser = FalseyValueParser::new())]
    pub(super) offline: bool,
}
