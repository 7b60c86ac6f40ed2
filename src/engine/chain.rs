//! The chain: the models to try, in order, when a request names none.

use std::sync::Arc;

use super::{Catalog, EngineError, Model};
use crate::audio::StemName;

/// Models in the order in which they are tried; never empty.
#[derive(Debug, Clone)]
pub struct Chain {
    models: Vec<Arc<Model>>,
}

impl Chain {
    /// The chain of these names; the default model alone where none is given.
    ///
    /// # Errors
    /// [`EngineError::UnknownModel`].
    pub fn of(names: &[String], catalog: &Catalog) -> Result<Chain, EngineError> {
        let default = [Catalog::DEFAULT_MODEL.to_owned()];
        let names = if names.is_empty() { &default } else { names };
        let models = names.iter().map(|name| catalog.find(name)).collect::<Result<_, _>>()?;
        Ok(Chain { models })
    }

    /// The models, first choice first.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The first model that yields all of `wanted` (any, where nothing is wanted in particular).
    ///
    /// # Errors
    /// [`EngineError::NoModelForStems`].
    pub fn first_for(&self, wanted: &[StemName]) -> Result<Arc<Model>, EngineError> {
        let yields_all = |model: &&Arc<Model>| wanted.iter().all(|stem| model.card().yields(stem));
        self.models.iter().find(yields_all).cloned().ok_or_else(|| no_model(wanted, &self.models))
    }
}

/// Checks that `model` yields all of `wanted`.
///
/// # Errors
/// [`EngineError::NoModelForStems`].
pub fn check_stems(model: &Arc<Model>, wanted: &[StemName]) -> Result<(), EngineError> {
    if wanted.iter().all(|stem| model.card().yields(stem)) {
        Ok(())
    } else {
        Err(no_model(wanted, std::slice::from_ref(model)))
    }
}

fn no_model(wanted: &[StemName], models: &[Arc<Model>]) -> EngineError {
    let list =
        |stems: &[StemName]| stems.iter().map(StemName::as_str).collect::<Vec<_>>().join(", ");
    let available: Vec<_> = models
        .iter()
        .map(|model| format!("{} yields {}", model.card().name, list(&model.card().stems)))
        .collect();
    EngineError::NoModelForStems { wanted: list(wanted), available: available.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_gives_the_first_model_with_the_stems() {
        let catalog = Catalog::open(None);
        let chain = Chain::of(&[], &catalog).unwrap();
        let wanted = |names: &[&str]| names.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>();
        assert!(chain.first_for(&[]).is_ok());
        assert!(chain.first_for(&wanted(&["vocals", "accompaniment"])).is_ok());
        let error = chain.first_for(&wanted(&["vocals", "piano"])).unwrap_err().to_string();
        assert!(error.contains("piano") && error.contains("drums"), "{error}");
        assert!(Chain::of(&["nosuch".into()], &catalog).is_err());
    }
}
