//! `stemwire autotune` (hidden): the process in which one provider is measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use crate::engine::autotune::{Candidate, child};
use crate::engine::{Execution, ExecutionConfig, Precision, Provider, Runtime};
use crate::model::{AvailableModels, Model};
use crate::process;
use crate::proto::reason::Category;

#[derive(Debug, Args)]
pub(super) struct AutotuneArgs {
    /// ONNX Runtime library
    #[arg(long)]
    library: PathBuf,
    /// Execution provider
    #[arg(long)]
    provider: Provider,
    /// Precision
    #[arg(long)]
    precision: Precision,
    /// Compute threads
    #[arg(long)]
    threads: usize,
    /// Name of the model
    #[arg(long)]
    model: String,
    /// Folder of installed models
    #[arg(long)]
    models_dir: Option<PathBuf>,
}

/// Measures until standard input ends.
pub(super) fn run(args: &AutotuneArgs) -> Result<(), CliError> {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let done = match load(args) {
        Ok((model, config)) => child::run(&model, &config, input, output),
        Err(error) => child::report_failure(output, &error.to_string()),
    };
    done.map_err(|error| CliError::plain(Category::Other, error.to_string()))
}

/// The command line of [`run`] for a candidate.
pub(super) fn command(
    model: &Model,
    candidate: &Candidate,
    threads: usize,
    models_dir: Option<&Path>,
) -> Command {
    let Candidate { library, execution } = candidate;
    // If the path of this binary is unknown, starting the process fails and the error is reported.
    let mut command = process::command(&process::own_binary().unwrap_or_default());
    command.arg("autotune").arg("--library").arg(library);
    command.args(["--provider", execution.provider.as_str()]);
    command.args(["--precision", execution.precision.as_str()]);
    command.args(["--threads", &threads.to_string()]);
    command.args(["--model", model.card().name.as_str()]);
    if let Some(folder) = models_dir {
        command.arg("--models-dir").arg(folder);
    }
    command
}

fn load(args: &AutotuneArgs) -> Result<(Arc<Model>, ExecutionConfig), Box<dyn std::error::Error>> {
    let model = AvailableModels::open(args.models_dir.as_deref()).find(&args.model)?;
    let runtime = Runtime::load(&args.library)?;
    let execution = Execution { provider: args.provider, precision: args.precision };
    Ok((model, ExecutionConfig { runtime, execution, threads: args.threads }))
}
