//! Commands that the binary gives to itself: what may crash or grow does so in a process of its own.

use std::path::PathBuf;

use clap::Args;

use crate::cli::decode::parse_raw;
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
    #[arg(long, value_parser = parse_raw)]
    pub(in crate::cli) raw: Option<RawPcm>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Trial {
    /// The library
    #[arg(long)]
    pub(in crate::cli) library: PathBuf,
    /// What computes
    #[arg(long)]
    pub(in crate::cli) provider: Provider,
    /// In what
    #[arg(long)]
    pub(in crate::cli) precision: Precision,
    /// Compute threads
    #[arg(long)]
    pub(in crate::cli) threads: usize,
    /// The model
    #[arg(long)]
    pub(in crate::cli) model: String,
    /// Folder with models beside the built-in ones
    #[arg(long)]
    pub(in crate::cli) models_dir: Option<PathBuf>,
}
