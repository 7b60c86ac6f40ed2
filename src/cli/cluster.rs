//! `stemwire cluster`: what several servers share.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::finding::{Finding, report};
use crate::cluster::{self, Nats, NatsLeases, NatsLocation, ObjectReplica, StoreLocation};
use crate::proto::reason::Category;

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Check that an object store and NATS do what sessions need
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Object store, a folder or bucket: file:///mnt/stemwire, s3://…, gs://…, az://…
    #[arg(long, value_name = "URL", env = "STEMWIRE_STORE")]
    store: String,
    /// NATS servers, such as nats://10.0.0.1:4222,nats://10.0.0.2:4222
    #[arg(long, value_name = "URL,URL", hide_env_values = true, env = "STEMWIRE_CLUSTER")]
    cluster: Option<String>,
}

/// Runs a command.
pub(super) fn run(args: &ClusterArgs) -> Result<(), CliError> {
    let ClusterCommand::Check(args) = &args.command;
    let location: StoreLocation = args.store.parse()?;
    let cluster: Option<NatsLocation> = args.cluster.as_deref().map(str::parse).transpose()?;
    let mut findings = findings(&location);
    findings.extend(cluster.map(|cluster| nats_finding(&cluster)));
    report(&findings)
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

/// What is found out about NATS servers.
fn nats_finding(location: &NatsLocation) -> Finding {
    let checked = Nats::connect(location, "the check fails").and_then(|nats| {
        let version = nats.version();
        let leases = NatsLeases::open(Arc::new(nats), "check")?;
        Ok((version, cluster::check_leases(&leases)))
    });
    match checked {
        Ok((version, Ok(text))) => Finding::good(format!("NATS {version}: {text}")),
        Ok((_, Err(error))) => {
            Finding::bad(&error, "Check that JetStream has memory left, and all its servers run.")
        }
        Err(error) => Finding::bad(&error, error.remedy()),
    }
}

impl From<cluster::NatsLocationError> for CliError {
    fn from(error: cluster::NatsLocationError) -> CliError {
        CliError::new(Category::Usage, error.to_string(), error.remedy())
    }
}

impl From<cluster::NatsError> for CliError {
    fn from(error: cluster::NatsError) -> CliError {
        CliError::new(Category::Server, error.to_string(), error.remedy())
    }
}

impl From<cluster::LocationError> for CliError {
    fn from(error: cluster::LocationError) -> CliError {
        CliError::new(Category::Usage, error.to_string(), error.remedy())
    }
}
