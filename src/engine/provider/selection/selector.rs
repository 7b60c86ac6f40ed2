//! The selection itself: one model after the other, on one library.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ProviderSelection, SelectedExecution};
use crate::engine::autotune::{
    self, AutotuneConfig, BenchmarkResult, Candidate, Decision, ProviderRequest,
};
use crate::engine::limits::TimeLimits;
use crate::engine::provider::{Execution, ProviderChoice};
use crate::engine::runtime::locate::FoundLibrary;
use crate::engine::runtime::{Runtime, RuntimeError};
use crate::model::{Model, ModelCard, ModelName};

/// Inputs of [`select`] that are the same for all models.
pub struct SelectionConfig<'a> {
    /// The choice of the command line.
    pub request: ProviderRequest,
    /// Compute threads of one worker.
    pub threads: usize,
    /// Time limits of the engines.
    pub limits: TimeLimits,
    /// No measurement starts later than this after the selection has started.
    pub autotune_time: Duration,
    /// The autotune cache, if results are cached.
    pub cache_file: Option<PathBuf>,
    /// Builds the command whose process is the [child](autotune::child) of a candidate.
    pub command: &'a dyn Fn(&Model, &Candidate) -> Command,
    /// Receives events while the selection runs.
    pub on_event: &'a dyn Fn(SelectionEvent<'_>),
}

/// The models to select providers for.
pub struct ModelsToSelect {
    /// At least one of these must run; the first that does determines the library.
    pub preferred: Vec<Arc<Model>>,
    /// Other models. They use the library of the preferred ones.
    pub others: Vec<Arc<Model>>,
}

/// Result of [`select`].
pub struct SelectionOutcome {
    /// The loaded library, and the execution of each model on it.
    pub providers: ProviderSelection,
    /// Models that no installed provider runs.
    pub without_provider: Vec<ModelWithoutProvider>,
}

/// A model whose card names a provider that is missing or fails.
#[derive(Debug)]
pub struct ModelWithoutProvider {
    /// The model.
    pub model: ModelName,
    /// The error of its provider.
    pub error: RuntimeError,
}

/// A step of the selection that users may want to see.
#[derive(Debug)]
pub enum SelectionEvent<'a> {
    /// Candidates are about to be measured, which may take minutes.
    AutotuneStarted {
        /// The model.
        model: &'a ModelName,
        /// Its number, from 1.
        number: usize,
        /// Number of all models.
        total: usize,
        /// Whether the results will be cached.
        cached: bool,
    },
    /// A candidate failed and is skipped.
    CandidateFailed(&'a BenchmarkResult),
    /// The cache file cannot be written, so the next start measures again.
    CacheFailed {
        /// The file.
        file: &'a Path,
        /// The error of the system.
        error: &'a str,
    },
    /// No installed provider runs this model.
    ModelSkipped(&'a ModelWithoutProvider),
}

/// Selects the execution of each of `models` and loads the library of the first one. The other models run on what this
/// library has, because a process can load only one.
///
/// # Errors
/// The error of the provider if it was requested on the command line, or if no preferred model runs.
pub fn select(
    config: &SelectionConfig<'_>,
    libraries: &[FoundLibrary],
    models: &ModelsToSelect,
) -> Result<SelectionOutcome, RuntimeError> {
    let ModelsToSelect { preferred, others } = models;
    let selector = Selector {
        config,
        started: Instant::now(),
        total: preferred.len() + others.len(),
        cache_error: OnceCell::new(),
    };
    let (mut selected, mut without_provider, mut library) = (BTreeMap::new(), Vec::new(), None);
    for (index, model) in preferred.iter().chain(others).enumerate() {
        if index == preferred.len() && index > 0 && selected.is_empty() {
            break;
        }
        let name = model.card().name.clone();
        match selector.select_for(index + 1, model, libraries, &mut library) {
            Ok(execution) => drop(selected.insert(name, execution)),
            Err(error) if config.request.provider != ProviderChoice::Auto => return Err(error),
            Err(error) => without_provider.push(ModelWithoutProvider { model: name, error }),
        }
    }
    if selected.is_empty() && !without_provider.is_empty() {
        return Err(without_provider.swap_remove(0).error);
    }
    selector.report(&without_provider);
    let runtime = match library {
        Some(library) => library.runtime,
        None => Runtime::load(&libraries[0].path)?,
    };
    let providers = ProviderSelection::new(runtime, config.request.provider, selected);
    Ok(SelectionOutcome { providers, without_provider })
}

struct Selector<'a> {
    config: &'a SelectionConfig<'a>,
    started: Instant,
    /// Number of all models.
    total: usize,
    /// The first error of the cache file.
    cache_error: OnceCell<String>,
}

impl Selector<'_> {
    /// Selects the execution of one model. The first that has one determines the library.
    fn select_for(
        &self,
        number: usize,
        model: &Model,
        libraries: &[FoundLibrary],
        library: &mut Option<LoadedLibrary>,
    ) -> Result<SelectedExecution, RuntimeError> {
        let card = model.card();
        let (decision, library) = match library {
            Some(library) => {
                let mut decision = self.decide(number, model, &library.found)?;
                if let Some(reason) = &library.no_choice
                    && decision.results.is_empty()
                    && self.request(card).provider == ProviderChoice::Auto
                {
                    decision.reason.clone_from(reason);
                }
                (decision, library)
            }
            None => {
                let decision = self.decide(number, model, libraries)?;
                let loaded = LoadedLibrary::load(&decision, card, libraries)?;
                (decision, library.insert(loaded))
            }
        };
        self.probed(card, decision, &library.runtime)
    }

    /// The request for a model: the command line takes precedence over the card.
    fn request(&self, card: &ModelCard) -> ProviderRequest {
        let request = self.config.request;
        match request.provider {
            ProviderChoice::Auto => ProviderRequest { provider: card.provider, ..request },
            ProviderChoice::Only(_) => request,
        }
    }

    fn decide(
        &self,
        number: usize,
        model: &Model,
        libraries: &[FoundLibrary],
    ) -> Result<Decision, RuntimeError> {
        let config = self.config;
        let may_start = || {
            let in_time = self.started.elapsed() < config.autotune_time;
            if in_time {
                (config.on_event)(SelectionEvent::AutotuneStarted {
                    model: &model.card().name,
                    number,
                    total: self.total,
                    cached: config.cache_file.is_some(),
                });
            }
            in_time
        };
        let on_cache_error = |error: &io::Error| {
            // Later ones have the same cause.
            let _ = self.cache_error.set(error.to_string());
        };
        let autotune = AutotuneConfig {
            model,
            threads: config.threads,
            limits: config.limits,
            command: &|candidate| (config.command)(model, candidate),
            may_start: &may_start,
            cache_file: config.cache_file.as_deref(),
            on_cache_error: &on_cache_error,
        };
        autotune::decide(libraries, self.request(model.card()), &autotune)
    }

    /// Probes the provider of a decision. A requested provider must work; one that was selected falls back to the
    /// baseline, because something may have changed since it was measured.
    fn probed(
        &self,
        card: &ModelCard,
        decision: Decision,
        runtime: &Runtime,
    ) -> Result<SelectedExecution, RuntimeError> {
        let Decision { chosen, mut reason, mut results } = decision;
        let mut execution = chosen.execution;
        if execution != Execution::BASELINE
            && let Err(failure) = runtime.probe(execution)
        {
            let provider = execution.provider;
            if self.request(card).provider != ProviderChoice::Auto {
                let path = runtime.path().to_owned();
                return Err(RuntimeError::ProviderFails { provider, path, reason: failure });
            }
            results.retain(|result| result.candidate != chosen);
            results.push(BenchmarkResult {
                candidate: chosen,
                result: Err(failure),
                cached: false,
            });
            (execution, reason) = (Execution::BASELINE, format!("{provider} fails now"));
        }
        // The baseline is not measured against itself.
        results.retain(|result| result.candidate.execution != Execution::BASELINE);
        let selected = SelectedExecution { execution, reason, results };
        self.log(card, &selected);
        Ok(selected)
    }

    fn log(&self, card: &ModelCard, selected: &SelectedExecution) {
        let SelectedExecution { execution: Execution { provider, precision }, reason, results } =
            selected;
        for result in results {
            if result.result.is_err() {
                (self.config.on_event)(SelectionEvent::CandidateFailed(result));
            }
            tracing::info!(model = %card.name, cached = result.cached, "autotune: {result}");
        }
        tracing::info!(model = %card.name, %provider, %precision, reason, "provider selected");
    }

    fn report(&self, without_provider: &[ModelWithoutProvider]) {
        let on_event = self.config.on_event;
        if let (Some(file), Some(error)) = (&self.config.cache_file, self.cache_error.get()) {
            on_event(SelectionEvent::CacheFailed { file, error });
        }
        for skipped in without_provider {
            on_event(SelectionEvent::ModelSkipped(skipped));
        }
    }
}

/// The library that the process has loaded.
struct LoadedLibrary {
    runtime: Runtime,
    /// Where it was found.
    found: Vec<FoundLibrary>,
    /// Why other models have no choice, if it has only one provider and other libraries have more.
    no_choice: Option<String>,
}

impl LoadedLibrary {
    /// Loads the library of `decision`, which was made for `model`.
    fn load(
        decision: &Decision,
        model: &ModelCard,
        libraries: &[FoundLibrary],
    ) -> Result<LoadedLibrary, RuntimeError> {
        let runtime = Runtime::load(&decision.chosen.library)?;
        let (found, rest): (Vec<FoundLibrary>, Vec<FoundLibrary>) =
            libraries.iter().cloned().partition(|found| found.path == decision.chosen.library);
        let single = !rest.is_empty() && found.iter().all(|found| found.providers().len() == 1);
        let reason = format!(
            "the library selected for {} has no other provider, and only one library can be loaded",
            model.name
        );
        Ok(LoadedLibrary { runtime, found, no_choice: single.then_some(reason) })
    }
}
