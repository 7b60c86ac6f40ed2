//! What the models are computed with: from what was asked for to a loaded library.
//!
//! [`choosing`] decides it for one model after the other.

mod choosing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::args::EngineArgs;
use super::error::CliError;
use super::setup;
use crate::engine::pool::TimeLimits;
use crate::engine::provider::selection::Computing;
use crate::engine::runtime::locate::Found;
use crate::engine::runtime::{RuntimeError, Search};
use crate::engine::{ProviderChoice, Runtime};
use crate::model::{Model, ModelName};

use choosing::Choosing;

/// How long trying may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// What an engine that is tried may take.
    pub(super) limits: TimeLimits,
    /// No trial begins later than this.
    pub(super) total: Duration,
}

impl Default for Patience {
    /// Until everything has been tried.
    fn default() -> Patience {
        Patience { limits: TimeLimits::default(), total: Duration::MAX }
    }
}

/// The models to decide for.
pub(super) struct Wanted {
    /// Those of which one is needed, the first choice first.
    pub(super) first: Vec<Arc<Model>>,
    /// Others, which do with the library that is loaded for one of the first.
    pub(super) others: Vec<Arc<Model>>,
}

/// What came of it.
pub(super) struct Decided {
    /// The loaded library, and how models are computed with it.
    pub(super) computing: Computing,
    /// Models that nothing here computes.
    pub(super) left_out: Vec<LeftOut>,
}

/// A model that nothing here computes.
pub(super) struct LeftOut {
    pub(super) model: ModelName,
    pub(super) error: RuntimeError,
}

/// Decides how each of `models` is computed, and loads the library for the first that can be; the others are
/// computed with what this library has. Tries what there is to choose from, one model after the other; what is
/// chosen is told.
///
/// Where a provider is asked for on the command line, it must be there. One that only a card asks for may be missing
/// as long as another of the first models can be computed.
pub(super) fn choose(
    arguments: &EngineArgs,
    patience: Patience,
    models: &Wanted,
) -> Result<Decided, CliError> {
    let threads = setup::pool_config(arguments)?.threads_per_worker;
    let search = setup::search(arguments.runtime.as_deref());
    let libraries = setup::libraries(arguments, &search)?;
    Ok(of(arguments, threads, patience, &search, &libraries, models)?)
}

/// The same with these libraries, by so many threads of one worker.
pub(super) fn of(
    arguments: &EngineArgs,
    threads: usize,
    patience: Patience,
    search: &Search,
    libraries: &[Found],
    models: &Wanted,
) -> Result<Decided, RuntimeError> {
    let Wanted { first, others } = models;
    let all = first.len() + others.len();
    let choosing = Choosing::new(arguments, threads, patience, all, search);
    let (mut chosen, mut left_out, mut library) = (BTreeMap::new(), Vec::new(), None);
    for (index, model) in first.iter().chain(others).enumerate() {
        if index == first.len() && index > 0 && chosen.is_empty() {
            break;
        }
        let name = model.card().name.clone();
        match choosing.choose(index + 1, model, libraries, &mut library) {
            Ok(choice) => drop(chosen.insert(name, choice)),
            Err(error) if arguments.provider != ProviderChoice::Auto => return Err(error),
            Err(error) => left_out.push(LeftOut { model: name, error }),
        }
    }
    if chosen.is_empty() && !left_out.is_empty() {
        return Err(left_out.swap_remove(0).error);
    }
    choosing.warn();
    for LeftOut { model, error } in &left_out {
        eprintln!("warning: {model} is left out: {error}");
    }
    let runtime = match library {
        Some(library) => library.runtime,
        None => Runtime::load(&libraries[0].path)?,
    };
    Ok(Decided { computing: Computing::new(runtime, arguments.provider, chosen), left_out })
}
