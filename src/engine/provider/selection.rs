//! What models are computed with: the loaded library, and which of its providers for which model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::autotune::Tried;
use crate::engine::provider::{Execution, ProviderChoice};
use crate::engine::{Engine, EngineError, Loader, Runtime};
use crate::model::{Model, ModelName};

/// What one engine is opened with.
#[derive(Clone)]
pub struct Compute {
    /// The loaded library.
    pub runtime: Runtime,
    /// The provider and its precision.
    pub execution: Execution,
    /// Compute threads.
    pub threads: usize,
}

/// How a model is computed, and why so.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// How.
    pub execution: Execution,
    /// Why, in words.
    pub reason: String,
    /// What was tried against [`Execution::REFERENCE`].
    pub tried: Vec<Tried>,
}

/// The loaded library, and how each model is computed with it.
#[derive(Clone)]
pub struct Computing {
    runtime: Runtime,
    /// What was asked for on the command line.
    asked: ProviderChoice,
    chosen: Arc<BTreeMap<ModelName, Choice>>,
}

impl Computing {
    /// Models in `chosen` are computed so, others by the provider that was asked for.
    pub fn new(
        runtime: Runtime,
        asked: ProviderChoice,
        chosen: BTreeMap<ModelName, Choice>,
    ) -> Computing {
        Computing { runtime, asked, chosen: Arc::new(chosen) }
    }

    /// The loaded library.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// How `model` is computed.
    pub fn of(&self, model: &Model) -> Choice {
        let card = model.card();
        if let Some(choice) = self.chosen.get(&card.name) {
            return choice.clone();
        }
        let asked = match self.asked {
            ProviderChoice::Auto => card.provider,
            only @ ProviderChoice::Only(_) => only,
        };
        let (execution, reason) = match asked {
            ProviderChoice::Only(provider) => (Execution::exact(provider), "asked for"),
            // Nothing else is known to give its numbers.
            ProviderChoice::Auto => (Execution::REFERENCE, "no other was tried for this model"),
        };
        Choice { execution, reason: reason.to_owned(), tried: Vec::new() }
    }
}

impl From<Runtime> for Computing {
    /// Every model on the CPU, in 32-bit floats, unless its card says otherwise.
    fn from(runtime: Runtime) -> Computing {
        Computing::new(runtime, ProviderChoice::Auto, BTreeMap::new())
    }
}

impl Loader for Computing {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        let execution = self.of(model).execution;
        model.load(&Compute { runtime: self.runtime.clone(), execution, threads })
    }
}

impl Loader for Runtime {
    fn load(&self, model: &Arc<Model>, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        Computing::from(self.clone()).load(model, threads)
    }
}
