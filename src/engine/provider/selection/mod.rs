//! Provider selection: which provider and precision each model runs on.
//!
//! [`select`] autotunes the models one after the other and loads the library of the first.

mod selector;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::autotune::BenchmarkResult;
use crate::engine::inference;
use crate::engine::provider::{Execution, ProviderChoice};
use crate::engine::runtime::ExecutionConfig;
use crate::engine::{Engine, EngineError, EngineIdentity, Loader, Runtime};
use crate::model::{Model, ModelName};

pub use selector::{
    ModelWithoutProvider, ModelsToSelect, SelectionConfig, SelectionEvent, SelectionOutcome, select,
};

/// The execution of one model, and why it was selected.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectedExecution {
    /// The provider and its precision.
    pub execution: Execution,
    /// The reason, in words.
    pub reason: String,
    /// Results of the candidates that were measured against [`Execution::BASELINE`].
    pub results: Vec<BenchmarkResult>,
}

/// The loaded library, and the execution of each model on it.
#[derive(Clone)]
pub struct ProviderSelection {
    runtime: Runtime,
    /// The choice of the command line.
    requested: ProviderChoice,
    selected: Arc<BTreeMap<ModelName, SelectedExecution>>,
}

impl ProviderSelection {
    /// Models that are not in `selected` run on the requested provider.
    pub fn new(
        runtime: Runtime,
        requested: ProviderChoice,
        selected: BTreeMap<ModelName, SelectedExecution>,
    ) -> ProviderSelection {
        ProviderSelection { runtime, requested, selected: Arc::new(selected) }
    }

    /// The loaded library.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The execution of `model`.
    pub fn for_model(&self, model: &Model) -> SelectedExecution {
        // An engine has one record; each member runs on what is selected for it.
        let first = model.ensemble().and_then(|ensemble| ensemble.members.first());
        let card = first.map_or(model, |first| first).card();
        if let Some(selected) = self.selected.get(&card.name) {
            return selected.clone();
        }
        let requested = match self.requested {
            ProviderChoice::Auto => card.provider,
            only @ ProviderChoice::Only(_) => only,
        };
        let (execution, reason) = match requested {
            ProviderChoice::Only(provider) => (Execution::exact(provider), "requested"),
            // No other provider was measured, so none is known to give the same results.
            ProviderChoice::Auto => (Execution::BASELINE, "not autotuned"),
        };
        SelectedExecution { execution, reason: reason.to_owned(), results: Vec::new() }
    }

    /// How `model` is executed with `threads` compute threads.
    pub(in crate::engine) fn execution_config(
        &self,
        model: &Model,
        threads: usize,
    ) -> ExecutionConfig {
        let execution = self.for_model(model).execution;
        ExecutionConfig { runtime: self.runtime.clone(), execution, threads }
    }

    /// The identity of an engine of `model` with `threads` compute threads.
    pub fn identity(&self, model: &Model, threads: usize) -> EngineIdentity {
        let Execution { provider, precision } = self.for_model(model).execution;
        EngineIdentity {
            model: model.card().name.clone(),
            weights: model.card().weights_hash(),
            verified: model.is_verified(),
            provider,
            runtime: self.runtime.name().to_owned(),
            threads,
            precision,
        }
    }
}

impl From<Runtime> for ProviderSelection {
    /// Every model on the CPU in 32-bit floats, unless its card names a provider.
    fn from(runtime: Runtime) -> ProviderSelection {
        ProviderSelection::new(runtime, ProviderChoice::Auto, BTreeMap::new())
    }
}

impl Loader for ProviderSelection {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        inference::load(model, &self.execution_config(model, threads))
    }
}

impl Loader for Runtime {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        ProviderSelection::from(self.clone()).load(model, threads)
    }
}
