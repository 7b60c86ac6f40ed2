//! Hidden commands: work that may crash or use much memory runs in a process of its own.

use std::path::PathBuf;

use clap::Args;

use crate::engine::{Precision, Provider};
use crate::session::settings::RawPcm;

#[derive(Debug, Args)]
pub(in crate::cli) struct Decode {
    /// The upload
    #[arg(long)]
    pub(in crate::cli) upload: PathBuf,
    /// The rate to bring it to
    #[arg(long)]
    pub(in crate::cli) rate: u32,
    /// Address space in bytes
    #[arg(long)]
    pub(in crate::cli) memory: u64,
    /// Processor time in seconds
    #[arg(long)]
    pub(in crate::cli) processor_time: u64,
    /// Its form if it is raw PCM
    #[arg(long)]
    pub(in crate::cli) raw: Option<RawPcm>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Autotune {
    /// The library
    #[arg(long)]
    pub(in crate::cli) library: PathBuf,
    /// Execution provider
    #[arg(long)]
    pub(in crate::cli) provider: Provider,
    /// Precision
    #[arg(long)]
    pub(in crate::cli) precision: Precision,
    /// Compute threads
    #[arg(long)]
    pub(in crate::cli) threads: usize,
    /// The model
    #[arg(long)]
    pub(in crate::cli) model: String,
    /// Folder of installed models
    #[arg(long)]
    pub(in crate::cli) models_dir: Option<PathBuf>,
}
