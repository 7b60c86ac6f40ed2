//! `stemwire compute` (hidden): the process of an isolated engine.

use std::io::{stdin, stdout};
use std::path::Path;
use std::process::Command;

use super::child_engine::{self, ChildEngineArgs};
use super::error::CliError;
use crate::engine::ExecutionConfig;
use crate::engine::isolated::child;
use crate::model::Model;

/// Separates the segments that are requested until standard input ends.
pub(super) fn run(args: &ChildEngineArgs) -> Result<(), CliError> {
    args.serve(
        |model, config| child::run(model, config, stdin().lock(), stdout().lock()),
        |reason| child::report_failure(stdout().lock(), reason),
    )
}

/// The command line of [`run`].
pub(super) fn command(
    model: &Model,
    config: &ExecutionConfig,
    models_dir: Option<&Path>,
) -> Command {
    let ExecutionConfig { runtime, execution, threads } = config;
    child_engine::command("compute", model, runtime.path(), *execution, *threads, models_dir)
}
