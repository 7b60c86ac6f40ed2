//! The engine of a child process: how the parent names it on the command line, and how the child loads it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use crate::engine::{Execution, ExecutionConfig, Precision, Provider, Runtime};
use crate::model::{AvailableModels, Model};
use crate::process;
use crate::proto::reason::Category;

/// An engine.
#[derive(Debug, Args)]
pub(super) struct ChildEngineArgs {
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

impl ChildEngineArgs {
    /// The body of a child process: calls `run` with the model, or `report_failure` with the reason why there is none.
    ///
    /// # Errors
    /// Those of the two: the parent cannot be reached.
    pub(super) fn serve(
        &self,
        run: impl FnOnce(&Arc<Model>, &ExecutionConfig) -> io::Result<()>,
        report_failure: impl FnOnce(&str) -> io::Result<()>,
    ) -> Result<(), CliError> {
        // A parent that is killed cannot end this process.
        process::end_with_parent();
        let done = match self.load() {
            Ok((model, config)) => run(&model, &config),
            Err(error) => report_failure(&error.to_string()),
        };
        done.map_err(|error| CliError::plain(Category::Other, error.to_string()))
    }

    /// Loads the library and finds the model.
    ///
    /// # Errors
    /// Those of the model and of the library.
    fn load(&self) -> Result<(Arc<Model>, ExecutionConfig), Box<dyn std::error::Error>> {
        let model = AvailableModels::open(self.models_dir.as_deref()).find(&self.model)?;
        let runtime = Runtime::load(&self.library)?;
        let execution = Execution { provider: self.provider, precision: self.precision };
        Ok((model, ExecutionConfig { runtime, execution, threads: self.threads }))
    }
}

/// The command line that calls `name` with [`ChildEngineArgs`].
pub(super) fn command(
    name: &str,
    model: &Model,
    library: &Path,
    execution: Execution,
    threads: usize,
    models_dir: Option<&Path>,
) -> Command {
    // If the path of this binary is unknown, starting the process fails and the error is reported.
    let mut command = process::command(&process::own_binary().unwrap_or_default());
    command.arg(name).arg("--library").arg(library);
    command.args(["--provider", execution.provider.as_str()]);
    command.args(["--precision", execution.precision.as_str()]);
    command.args(["--threads", &threads.to_string()]);
    command.args(["--model", model.card().name.as_str()]);
    if let Some(folder) = models_dir {
        command.arg("--models-dir").arg(folder);
    }
    command
}
