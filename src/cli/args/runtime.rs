//! `stemwire runtime`, and what looks after it: `stemwire doctor`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::EngineArgs;
use crate::engine::Provider;

#[derive(Debug, Args)]
pub(in crate::cli) struct RuntimeCommand {
    #[command(subcommand)]
    pub(in crate::cli) command: RuntimeAction,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RuntimeAction {
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
pub(in crate::cli) struct Doctor {
    /// Address that the server would listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", env = "STEMWIRE_LISTEN")]
    pub(in crate::cli) listen: SocketAddr,
    /// Folder for sessions
    #[arg(long, value_name = "DIR", env = "STEMWIRE_DATA_DIR")]
    pub(in crate::cli) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) engine: EngineArgs,
}
