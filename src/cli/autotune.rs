//! `stemwire autotune` (hidden): the process in which one provider is measured.

use std::io::{stdin, stdout};
use std::path::Path;
use std::process::Command;

use super::child_engine::{self, ChildEngineArgs};
use super::error::CliError;
use crate::engine::autotune::{Candidate, child};
use crate::model::Model;

/// Measures until standard input ends.
pub(super) fn run(args: &ChildEngineArgs) -> Result<(), CliError> {
    args.serve(
        |model, config| child::run(model, config, stdin().lock(), stdout().lock()),
        |reason| child::report_failure(stdout().lock(), reason),
    )
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
