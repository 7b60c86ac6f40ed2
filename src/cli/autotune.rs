//! `stemwire autotune` (hidden): the process in which one provider is measured.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::args::Autotune;
use super::error::CliError;
use crate::engine::autotune::{Candidate, child};
use crate::engine::{Execution, ExecutionConfig, Runtime};
use crate::model::{Catalog, Model};
use crate::proto::reason::Category;

/// Measures until standard input ends.
pub(super) fn run(arguments: &Autotune) -> Result<(), CliError> {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let done = match load(arguments) {
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
    let mut command = Command::new(std::env::current_exe().unwrap_or_default());
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

fn load(arguments: &Autotune) -> Result<(Arc<Model>, ExecutionConfig), Box<dyn std::error::Error>> {
    let model = Catalog::open(arguments.models_dir.as_deref()).find(&arguments.model)?;
    let runtime = Runtime::load(&arguments.library)?;
    let execution = Execution { provider: arguments.provider, precision: arguments.precision };
    Ok((model, ExecutionConfig { runtime, execution, threads: arguments.threads }))
}
