//! `stemwire models benchmark`: measures the speed of models on this machine.

use std::sync::Arc;

use clap::Args;

use super::listing::NAME_WIDTH;
use crate::cli::engine_args::EngineArgs;
use crate::cli::error::CliError;
use crate::cli::output::write;
use crate::cli::providers::{self, SelectionLimits};
use crate::cli::setup;
use crate::engine::pool::Benchmark;
use crate::engine::provider::selection::ModelsToSelect;
use crate::model::Model;

#[derive(Debug, Args)]
pub(super) struct BenchmarkArgs {
    /// Models on this machine [default: all of them]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Measures each model by a fixed segment, and prints its speed.
pub(super) fn benchmark(args: &BenchmarkArgs) -> Result<(), CliError> {
    let available = setup::available_models(args.engine.models_dir.as_deref());
    let models: Vec<Arc<Model>> = if args.names.is_empty() {
        available.all().to_vec()
    } else {
        args.names.iter().map(|name| available.find(name)).collect::<Result<_, _>>()?
    };
    let limits = SelectionLimits::default();
    let to_select = ModelsToSelect { preferred: models.clone(), others: Vec::new() };
    let providers = providers::select(&args.engine, limits, &to_select)?.providers;
    let pool = setup::pool(&args.engine, limits.engine, providers)?;
    for model in models {
        let card = model.card();
        eprintln!("measuring {}", card.name);
        let Benchmark { speed, kept } = pool.benchmark(&model)?;
        if let Err(error) = kept {
            eprintln!("warning: the speed of {} is not kept: {error}", card.name);
        }
        write(&format!("{:NAME_WIDTH$} {}\n", card.name.as_str(), speed.describe(card, None)))?;
    }
    Ok(())
}
