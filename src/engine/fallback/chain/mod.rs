//! The chain: the models to try, in order, when a request names none or when one fails.

use std::sync::Arc;

use crate::audio::{Hertz, StemName};
use crate::engine::EngineError;
use crate::engine::fallback::circuit_breaker::{
    CircuitBreakerConfig, CircuitBreakers, EngineHealth,
};
use crate::model::{Catalog, Model, ModelError};

/// Models in the order in which they are tried, and which of them work.
#[derive(Debug, Default)]
pub struct Chain {
    models: Vec<Arc<Model>>,
    faults: Vec<UnavailableModel>,
    breakers: CircuitBreakers,
}

/// A name of the chain that has no model, because its card is broken or it is not installed.
#[derive(Debug)]
pub struct UnavailableModel {
    /// The name.
    pub name: String,
    /// What is wrong.
    pub error: EngineError,
}

/// The model that a session begins with.
#[derive(Debug)]
pub struct ModelChoice {
    /// The model.
    pub model: Arc<Model>,
    /// What should have been it, where that does not work.
    pub skipped: Option<SkippedModel>,
}

/// A model that a session does not begin with although it comes first.
#[derive(Debug)]
pub struct SkippedModel {
    /// Its name.
    pub name: String,
    /// The model, where its card is readable.
    pub model: Option<Arc<Model>>,
    /// Why it is passed over.
    pub error: EngineError,
}

/// Why no model can take a session over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSuccessor {
    /// Those that are left do not yield every wanted stem at the session's rate: which yields what.
    LacksStem(String),
    /// None is left that works: what is wrong with them.
    NoneWorks(String),
}

/// The models of the default chain: those that the user installs, then those that are built in.
const PUBLISHED: [&str; 2] = ["htdemucs", "spleeter-4stems"];
const BUILT_IN: [&str; 2] = ["mini", "mini-spleeter"];

impl Chain {
    /// The chain of these names; the default one where none is given. A model whose card is broken, or that
    /// is not installed, leaves its place to the next.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], as [`EngineError::Model`].
    pub fn of(names: &[String], catalog: &Catalog) -> Result<Chain, EngineError> {
        if names.is_empty() {
            return Ok(Chain::standard(catalog));
        }
        let mut chain = Chain::default();
        for name in names {
            match catalog.find(name) {
                Ok(model) if chain.models.iter().any(|other| Arc::ptr_eq(other, &model)) => {}
                Ok(model) => chain.models.push(model),
                Err(error @ ModelError::Unknown { .. }) => return Err(error.into()),
                Err(error) => {
                    chain.faults.push(UnavailableModel { name: name.clone(), error: error.into() })
                }
            }
        }
        Ok(chain)
    }

    /// The published models that are installed; with fewer than two, the built-in ones after them.
    fn standard(catalog: &Catalog) -> Chain {
        let find = |names: &[&str]| -> Vec<Arc<Model>> {
            names.iter().filter_map(|name| catalog.find(name).ok()).collect()
        };
        let mut models = find(&PUBLISHED);
        if models.len() < 2 {
            models.extend(find(&BUILT_IN));
        }
        Chain { models, ..Chain::default() }
    }

    /// The same chain with breakers of this kind, all closed.
    #[must_use]
    pub fn with_circuit_breakers(self, config: CircuitBreakerConfig) -> Chain {
        Chain { breakers: CircuitBreakers::new(config), ..self }
    }

    /// The models, first choice first.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The names without a model.
    pub fn faults(&self) -> &[UnavailableModel] {
        &self.faults
    }

    /// Which engines work, also of models that are not in the chain.
    pub fn circuit_breakers(&self) -> &CircuitBreakers {
        &self.breakers
    }

    /// How it is with a model's engine.
    pub fn health(&self, model: &Model) -> EngineHealth {
        self.breakers.health(model.card().name.as_str())
    }

    /// Why no session can begin, where no model of the chain works.
    pub fn fault(&self) -> Option<EngineError> {
        let works = self.models.iter().any(|model| self.works(model));
        (!works).then(|| self.none_works(&self.models))
    }

    /// The first model that works and yields all of `wanted` (any, where nothing is wanted in
    /// particular).
    ///
    /// # Errors
    /// [`EngineError::NoModelForStems`], [`EngineError::NoneWorks`].
    pub fn first_for(&self, wanted: &[StemName]) -> Result<ModelChoice, EngineError> {
        let able: Vec<_> =
            self.models.iter().filter(|model| yields_all(model, wanted)).cloned().collect();
        let Some(first) = able.first() else {
            return Err(match self.fault() {
                Some(fault) if self.models.is_empty() => fault,
                _ => no_model(wanted, &self.models),
            });
        };
        let Some(model) = able.iter().find(|model| self.works(model)) else {
            return Err(self.none_works(&able));
        };
        let skipped = if Arc::ptr_eq(model, first) {
            self.faults.first().map(|fault| SkippedModel {
                name: fault.name.clone(),
                model: None,
                error: fault.error.clone(),
            })
        } else {
            Some(self.passed_over(first))
        };
        Ok(ModelChoice { model: Arc::clone(model), skipped })
    }

    /// The model to begin with when `named` was asked for: it, where it works or where nothing else may
    /// stand in for it.
    ///
    /// # Errors
    /// [`EngineError::NoModelForStems`] where it does not yield `wanted`; [`EngineError::NoneWorks`].
    pub fn named(
        &self,
        named: Arc<Model>,
        wanted: &[StemName],
        allow_fallback: bool,
    ) -> Result<ModelChoice, EngineError> {
        if !yields_all(&named, wanted) {
            return Err(no_model(wanted, std::slice::from_ref(&named)));
        }
        if self.works(&named) {
            return Ok(ModelChoice { model: named, skipped: None });
        }
        let broken = || self.none_works(std::slice::from_ref(&named));
        if !allow_fallback {
            return Err(broken());
        }
        let card = named.card();
        let stems = if wanted.is_empty() { &card.stems } else { wanted };
        let successor = self.successor(card.name.as_str(), &[], stems, card.sample_rate);
        let model = successor.map_err(|_| broken())?;
        Ok(ModelChoice { model, skipped: Some(self.passed_over(&named)) })
    }

    /// The next model after `current`, round and round, that works, was not `tried`, and yields all of
    /// `wanted` at `rate`.
    ///
    /// # Errors
    /// [`NoSuccessor`].
    pub fn successor(
        &self,
        current: &str,
        tried: &[String],
        wanted: &[StemName],
        rate: Hertz,
    ) -> Result<Arc<Model>, NoSuccessor> {
        let name = |model: &Arc<Model>| model.card().name.to_string();
        let at = self.models.iter().position(|model| name(model) == current);
        let (before, after) = self.models.split_at(at.map_or(0, |at| at + 1));
        let left: Vec<_> = after
            .iter()
            .chain(before)
            .filter(|model| name(model) != current && !tried.contains(&name(model)))
            .cloned()
            .collect();
        let fits =
            |model: &Arc<Model>| yields_all(model, wanted) && model.card().sample_rate == rate;
        let able: Vec<_> = left.iter().filter(|model| fits(model)).cloned().collect();
        match able.iter().find(|model| self.works(model)) {
            Some(model) => Ok(Arc::clone(model)),
            None if able.is_empty() && !left.is_empty() => {
                Err(NoSuccessor::LacksStem(what_each_yields(&left)))
            }
            None => Err(NoSuccessor::NoneWorks(self.tell(&able))),
        }
    }

    fn works(&self, model: &Model) -> bool {
        self.breakers.is_closed(model.card().name.as_str())
    }

    fn passed_over(&self, model: &Arc<Model>) -> SkippedModel {
        let name = model.card().name.to_string();
        let error = self.health(model).error;
        // It may have closed at this very moment.
        let error = error
            .unwrap_or_else(|| EngineError::NoneWorks { faults: name.clone(), may_recover: true });
        SkippedModel { name, model: Some(Arc::clone(model)), error }
    }

    /// The error where none of `models` works.
    fn none_works(&self, models: &[Arc<Model>]) -> EngineError {
        let errors = models.iter().filter_map(|model| self.health(model).error);
        let may_recover = errors.into_iter().any(|error| !error.is_model_unusable());
        EngineError::NoneWorks { faults: self.tell(models), may_recover }
    }

    /// What is wrong with each.
    fn tell(&self, models: &[Arc<Model>]) -> String {
        let errors = models.iter().filter_map(|model| self.health(model).error);
        let faults = self.faults.iter().map(|fault| fault.error.clone());
        let told: Vec<_> = errors.chain(faults).map(|error| error.to_string()).collect();
        if told.is_empty() { "there is no other engine".to_owned() } else { told.join("; ") }
    }
}

fn yields_all(model: &Model, wanted: &[StemName]) -> bool {
    wanted.iter().all(|stem| model.card().yields(stem))
}

fn no_model(wanted: &[StemName], models: &[Arc<Model>]) -> EngineError {
    EngineError::NoModelForStems { wanted: list(wanted), available: what_each_yields(models) }
}

fn what_each_yields(models: &[Arc<Model>]) -> String {
    let yields = |model: &Arc<Model>| {
        let card = model.card();
        format!("{} yields {} at {}", card.name, list(&card.stems), card.sample_rate)
    };
    models.iter().map(yields).collect::<Vec<_>>().join(", ")
}

fn list(stems: &[StemName]) -> String {
    stems.iter().map(StemName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
