//! `stemwire cluster`: what several servers share.

use clap::{Args, Subcommand};

use super::error::CliError;
use super::finding::{Finding, report};
use crate::cluster::{self, ObjectReplica, StoreLocation};
use crate::proto::reason::Category;

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Check that an object store does what sessions need
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Object store, such as file:///mnt/stemwire or s3://bucket/prefix
    #[arg(long, value_name = "URL", env = "STEMWIRE_STORE")]
    store: String,
}

/// Runs a command.
pub(super) fn run(args: &ClusterArgs) -> Result<(), CliError> {
    let ClusterCommand::Check(args) = &args.command;
    let location: StoreLocation = args.store.parse()?;
    report(&findings(&location))
}

/// What is found out about a store.
fn findings(location: &StoreLocation) -> Vec<Finding> {
    let store = match ObjectReplica::open(location) {
        Ok(store) => store,
        Err(error) => {
            let cause = format!("{location} cannot be opened: {error}");
            return vec![Finding::bad(cause, location.remedy())];
        }
    };
    let finding = |found| match found {
        Ok(text) => Finding::good(text),
        Err(fault) => Finding::bad(&fault, cluster::StoreFault::remedy(&fault)),
    };
    cluster::check(&store).into_iter().map(finding).collect()
}

impl From<cluster::LocationError> for CliError {
    fn from(error: cluster::LocationError) -> CliError {
        CliError::new(Category::Usage, error.to_string(), error.remedy())
    }
}
