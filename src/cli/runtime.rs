//! `stemwire runtime`: lists and installs builds of ONNX Runtime.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::error::CliError;
use super::output::write;
use super::setup;
use crate::engine::runtime::locate::installed;
use crate::engine::runtime::wheel::Wheel;
use crate::engine::{Provider, Runtime};

#[derive(Debug, Args)]
pub(super) struct RuntimeArgs {
    #[command(subcommand)]
    command: RuntimeCommand,
}

#[derive(Debug, Subcommand)]
enum RuntimeCommand {
    /// List the builds for this machine, and the libraries that are found
    List,
    /// Install ONNX Runtime into the user's cache folder
    Install {
        /// Execution provider: cpu, openvino or cuda
        #[arg(default_value_t = Provider::Cpu)]
        provider: Provider,
        /// The published wheel, instead of a download with pip
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

pub(super) fn run(args: &RuntimeArgs) -> Result<(), CliError> {
    match &args.command {
        RuntimeCommand::List => list(),
        RuntimeCommand::Install { provider, from } => install(*provider, from.as_deref()),
    }
}

fn list() -> Result<(), CliError> {
    let search = setup::search(None);
    let mut text = String::new();
    for wheel in Wheel::for_this_machine() {
        let folders = search.cache.as_deref().map(|cache| installed(cache, wheel.provider));
        let state = match folders.and_then(|folders| folders.into_iter().next()) {
            Some(folder) => format!("installed in {}", folder.display()),
            None => format!("not installed, {} MB to download", wheel.bytes / 1_000_000),
        };
        text += &format!("{:9} {} {}: {state}\n", wheel.provider, wheel.package, wheel.version);
    }
    match search.libraries() {
        Ok(libraries) => {
            // Of several, --provider or autotune selects one.
            let state = if libraries.len() == 1 { "in use" } else { "may be used" };
            for found in libraries {
                text += &format!("{state}: {} ({})\n", found.path.display(), found.origin);
            }
        }
        Err(error) => text += &format!("{error}\n"),
    }
    write(&text)
}

fn install(provider: Provider, from: Option<&Path>) -> Result<(), CliError> {
    let path = setup::install(provider, from, &setup::search(None))?;
    let runtime = Runtime::load(&path)?;
    write(&format!("{} loads from {}\n", runtime.name(), path.display()))
}
