//! The chain: the models to try, in order, when a request names none or when a model fails.

mod by_quality;

use std::sync::Arc;

use crate::audio::{Hertz, StemName};
use crate::engine::EngineError;
use crate::engine::fallback::circuit_breaker::{
    CircuitBreakerConfig, CircuitBreakers, EngineHealth,
};
use crate::model::{AvailableModels, Model, ModelError};

pub use by_quality::QualityChoice;

/// Models in the order in which they are tried, with their circuit breakers.
#[derive(Debug, Default)]
pub struct Chain {
    models: Vec<Arc<Model>>,
    unavailable: Vec<UnavailableModel>,
    breakers: CircuitBreakers,
}

/// A name in the chain without a model: the card is not valid, or the model is not installed.
#[derive(Debug)]
pub struct UnavailableModel {
    /// The name.
    pub name: String,
    /// The fault.
    pub error: EngineError,
}

/// The first model of a session.
#[derive(Debug)]
pub struct ModelChoice {
    /// The model.
    pub model: Arc<Model>,
    /// The preferred model, if it does not work.
    pub skipped: Option<SkippedModel>,
}

/// A preferred model that does not work.
#[derive(Debug)]
pub struct SkippedModel {
    /// The name.
    pub name: String,
    /// The model, if its card is valid.
    pub model: Option<Arc<Model>>,
    /// Why it is skipped.
    pub error: EngineError,
}

/// Why no model can continue a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSuccessor {
    /// The remaining models do not yield every wanted stem at the session's rate. Lists what each yields.
    LacksStem(String),
    /// None of the remaining models works. Lists their faults.
    NoneWorks(String),
}

/// The models of the default chain: installable ones, then embedded ones.
const DEFAULT_PUBLISHED: [&str; 2] = ["htdemucs", "spleeter-4stems"];
const DEFAULT_EMBEDDED: [&str; 2] = ["mini", "mini-spleeter"];

impl Chain {
    /// The chain of these names, or the default chain if there are none. Models with an invalid card and models that are
    /// not installed are skipped.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], as [`EngineError::Model`].
    pub fn of(names: &[String], available: &AvailableModels) -> Result<Chain, EngineError> {
        if names.is_empty() {
            return Ok(Chain::standard(available));
        }
        let mut chain = Chain::default();
        for name in names {
            match available.find(name) {
                Ok(model) if chain.models.iter().any(|other| Arc::ptr_eq(other, &model)) => {}
                Ok(model) => chain.models.push(model),
                Err(error @ ModelError::Unknown { .. }) => return Err(error.into()),
                Err(error) => chain
                    .unavailable
                    .push(UnavailableModel { name: name.clone(), error: error.into() }),
            }
        }
        Ok(chain)
    }

    /// The default chain: the installed published models, followed by the embedded ones if there are fewer than two.
    fn standard(available: &AvailableModels) -> Chain {
        let find = |names: &[&str]| -> Vec<Arc<Model>> {
            names.iter().filter_map(|name| available.find(name).ok()).collect()
        };
        let mut models = find(&DEFAULT_PUBLISHED);
        if models.len() < 2 {
            models.extend(find(&DEFAULT_EMBEDDED));
        }
        Chain { models, ..Chain::default() }
    }

    /// The same chain with this configuration of circuit breakers, all closed.
    #[must_use]
    pub fn with_circuit_breakers(self, config: CircuitBreakerConfig) -> Chain {
        Chain { breakers: CircuitBreakers::new(config), ..self }
    }

    /// The models in order of preference.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The names without a model.
    pub fn unavailable(&self) -> &[UnavailableModel] {
        &self.unavailable
    }

    /// The circuit breakers, also those of models outside the chain.
    pub fn circuit_breakers(&self) -> &CircuitBreakers {
        &self.breakers
    }

    /// The health of a model's engine.
    pub fn health(&self, model: &Model) -> EngineHealth {
        self.breakers.health(model.card().name.as_str())
    }

    /// The error that every new session gets if no model of the chain works.
    pub fn fault(&self) -> Option<EngineError> {
        let works = self.models.iter().any(|model| self.works(model));
        (!works).then(|| self.none_works(&self.models))
    }

    /// The first model that works and yields all of `wanted`; any model if `wanted` is empty.
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
            self.unavailable.first().map(|fault| SkippedModel {
                name: fault.name.clone(),
                model: None,
                error: fault.error.clone(),
            })
        } else {
            Some(self.passed_over(first))
        };
        Ok(ModelChoice { model: Arc::clone(model), skipped })
    }

    /// The model for a request that names one: `named` if it works, else its successor if `allow_fallback`.
    ///
    /// # Errors
    /// [`EngineError::NoModelForStems`] if `named` does not yield `wanted`; [`EngineError::NoneWorks`].
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

    /// The next model after `current`, wrapping around, that works, was not `tried`, and yields all of `wanted` at `rate`.
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
            None => Err(NoSuccessor::NoneWorks(self.describe_faults(&able))),
        }
    }

    fn works(&self, model: &Model) -> bool {
        self.breakers.is_closed(model.card().name.as_str())
    }

    fn passed_over(&self, model: &Arc<Model>) -> SkippedModel {
        let name = model.card().name.to_string();
        let error = self.health(model).error;
        // The circuit may have closed since it was checked.
        let error = error
            .unwrap_or_else(|| EngineError::NoneWorks { faults: name.clone(), may_recover: true });
        SkippedModel { name, model: Some(Arc::clone(model)), error }
    }

    /// The error if none of `models` works.
    fn none_works(&self, models: &[Arc<Model>]) -> EngineError {
        let errors = models.iter().filter_map(|model| self.health(model).error);
        let may_recover = errors.into_iter().any(|error| !error.is_model_unusable());
        EngineError::NoneWorks { faults: self.describe_faults(models), may_recover }
    }

    /// The faults of `models` and of the unavailable ones.
    fn describe_faults(&self, models: &[Arc<Model>]) -> String {
        let errors = models.iter().filter_map(|model| self.health(model).error);
        let unavailable = self.unavailable.iter().map(|fault| fault.error.clone());
        let texts: Vec<_> = errors.chain(unavailable).map(|error| error.to_string()).collect();
        if texts.is_empty() { "there is no other engine".to_owned() } else { texts.join("; ") }
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
