//! Provider selection for the commands that compute: from the arguments to a loaded library.

use std::sync::Arc;
use std::time::Duration;

use super::engine_args::EngineArgs;
use super::error::CliError;
use super::{autotune, setup};
use crate::engine::autotune::ProviderRequest;
use crate::engine::limits::TimeLimits;
use crate::engine::provider::selection;
use crate::engine::provider::selection::{
    ModelsToSelect, SelectionConfig, SelectionEvent, SelectionOutcome,
};
use crate::engine::runtime::locate::FoundLibrary;
use crate::engine::runtime::{LibrarySearch, RuntimeError};
use crate::model::Model;

/// Time limits of a selection.
#[derive(Debug, Clone, Copy)]
pub(super) struct SelectionLimits {
    /// Limits of the engines.
    pub(super) engine: TimeLimits,
    /// No measurement starts later than this.
    pub(super) autotune: Duration,
}

impl Default for SelectionLimits {
    /// The default limits of engines, and no limit for autotuning.
    fn default() -> SelectionLimits {
        SelectionLimits { engine: TimeLimits::default(), autotune: Duration::MAX }
    }
}

/// Selects providers for `models` and loads the library, which is installed if there is none.
pub(super) fn select(
    arguments: &EngineArgs,
    limits: SelectionLimits,
    models: &ModelsToSelect,
) -> Result<SelectionOutcome, CliError> {
    let threads = setup::pool_config(arguments)?.threads_per_worker;
    let search = setup::search(arguments.runtime.as_deref());
    let libraries = setup::libraries(arguments, &search)?;
    Ok(select_from(arguments, threads, limits, &search, &libraries, models)?)
}

/// Selects providers of these libraries, for workers of so many threads.
pub(super) fn select_from(
    arguments: &EngineArgs,
    threads: usize,
    limits: SelectionLimits,
    search: &LibrarySearch,
    libraries: &[FoundLibrary],
    models: &ModelsToSelect,
) -> Result<SelectionOutcome, RuntimeError> {
    let models_dir = setup::models_folder(arguments.models_dir.as_deref()).ok();
    let config = SelectionConfig {
        request: ProviderRequest { provider: arguments.provider, precision: arguments.precision },
        threads,
        limits: limits.engine,
        autotune_time: limits.autotune,
        cache_file: setup::cache_file_of(search),
        command: &|model: &Model, candidate: &_| {
            autotune::command(model, candidate, threads, models_dir.as_deref())
        },
        on_event: &|event| eprintln!("{}", message(&event)),
    };
    selection::select(&config, libraries, models)
}

/// A selection for one model, or for the members of an ensemble.
pub(super) fn only(model: &Arc<Model>) -> ModelsToSelect {
    let members = model.ensemble().map(|ensemble| ensemble.members.clone());
    let preferred = members.unwrap_or_else(|| vec![Arc::clone(model)]);
    ModelsToSelect { preferred, others: Vec::new() }
}

fn message(event: &SelectionEvent<'_>) -> String {
    match event {
        SelectionEvent::AutotuneStarted { model, number, total, cached } => {
            let position = match total {
                1 => String::new(),
                total => format!(", model {number} of {total}"),
            };
            let cached = if *cached { "; results are cached" } else { "" };
            format!("measuring the fastest provider for {model}{position}{cached}")
        }
        SelectionEvent::CandidateFailed(result) => format!("warning: {result}"),
        SelectionEvent::CacheFailed { file, error } => format!(
            "warning: the next start measures again: cannot write {}: {error}",
            file.display()
        ),
        SelectionEvent::ModelSkipped(skipped) => {
            format!("warning: {} is skipped: {}", skipped.model, skipped.error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caching_is_announced_only_where_results_are_cached() {
        let model = "mini".parse().unwrap();
        let announced = |number, total, cached| {
            message(&SelectionEvent::AutotuneStarted { model: &model, number, total, cached })
        };
        let text = "measuring the fastest provider for mini";
        assert_eq!(announced(1, 1, true), format!("{text}; results are cached"));
        assert_eq!(announced(2, 3, false), format!("{text}, model 2 of 3"));
    }
}
