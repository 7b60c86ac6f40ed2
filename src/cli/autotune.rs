//! `stemwire autotune` (hidden): the process in which one provider is measured.

use std::path::Path;
use std::process::Command;

use super::child_engine::{self, ChildEngineArgs};
use super::error::CliError;
use crate::engine::autotune::{Candidate, child};
use crate::model::Model;
use crate::process;
use crate::proto::reason::Category;

/// Measures until standard input ends.
pub(super) fn run(args: &ChildEngineArgs) -> Result<(), CliError> {
    // A parent that is killed cannot end it.
    process::end_with_parent();
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let done = match args.load() {
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
    child_engine::command("autotune", model, library, *execution, threads, models_dir)
}
