//! `stemwire trial`: the process in which a provider is tried.

use super::args::Trial;
use super::error::{CliError, Kind};
use crate::engine::autotune::child;
use crate::engine::{Compute, Execution, Runtime};
use crate::model::Catalog;

pub(super) fn run(arguments: &Trial) -> Result<(), CliError> {
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let performed = match ready(arguments) {
        Ok((model, compute)) => child::perform(&model, &compute, input, output),
        Err(error) => child::failed(output, &error.to_string()),
    };
    performed.map_err(|error| CliError::plain(Kind::Other, error.to_string()))
}

type Ready = (std::sync::Arc<crate::model::Model>, Compute);

fn ready(arguments: &Trial) -> Result<Ready, Box<dyn std::error::Error>> {
    let model = Catalog::open(arguments.models_dir.as_deref()).find(&arguments.model)?;
    let runtime = Runtime::load(&arguments.library)?;
    let execution = Execution { provider: arguments.provider, precision: arguments.precision };
    Ok((model, Compute { runtime, execution, threads: arguments.threads }))
}
