//! The model for a request that asks for speed or quality in place of a model.

use std::sync::Arc;

use super::{Chain, ModelChoice, no_model, yields_all};
use crate::audio::StemName;
use crate::engine::EngineError;
use crate::model::choice::{Chosen, Quality, RatedModel, choose};
use crate::model::{AvailableModels, Model};

/// A model chosen by quality.
#[derive(Debug)]
pub struct QualityChoice {
    /// The model.
    pub choice: ModelChoice,
    /// The stems that it yields: those wanted, or without any those of the chain's first model.
    pub stems: Vec<StemName>,
    /// Why it was chosen, in words.
    pub reason: String,
}

impl Chain {
    /// The model for `quality` among all on this machine that yield `wanted`. Those of the binary take part only if no other
    /// does. `speed` is the measured one: seconds of a song computed per second.
    ///
    /// # Errors
    /// [`EngineError::NoModelForStems`], [`EngineError::NoneWorks`].
    pub fn by_quality(
        &self,
        quality: Quality,
        wanted: &[StemName],
        available: &AvailableModels,
        speed: &dyn Fn(&Model) -> Option<f64>,
    ) -> Result<QualityChoice, EngineError> {
        let stems = match wanted {
            [] => self.first_for(&[])?.model.card().stems.clone(),
            wanted => wanted.to_vec(),
        };
        let able = self.able(&stems, available);
        let Some((first, reason)) = chosen(quality, &able, &stems, speed) else {
            return Err(no_model(&stems, available.all()));
        };
        if self.works(&first) {
            let choice = ModelChoice { model: first, skipped: None };
            return Ok(QualityChoice { choice, stems, reason });
        }
        let working: Vec<_> = able.iter().filter(|model| self.works(model)).cloned().collect();
        let Some((model, reason)) = chosen(quality, &working, &stems, speed) else {
            return Err(self.none_works(&able));
        };
        let choice = ModelChoice { model, skipped: Some(self.passed_over(&first)) };
        Ok(QualityChoice { choice, stems, reason })
    }

    /// The models that yield all of `stems`, those of the chain first; those of the binary only if there are no others.
    fn able(&self, stems: &[StemName], available: &AvailableModels) -> Vec<Arc<Model>> {
        let in_chain = |model: &&Arc<Model>| self.models.iter().any(|one| Arc::ptr_eq(one, model));
        let others = available.all().iter().filter(|model| !in_chain(model));
        let able: Vec<_> = self
            .models
            .iter()
            .chain(others)
            .filter(|model| yields_all(model, stems))
            .cloned()
            .collect();
        let installed: Vec<_> = able.iter().filter(|model| !model.is_embedded()).cloned().collect();
        if installed.is_empty() { able } else { installed }
    }
}

fn chosen(
    quality: Quality,
    models: &[Arc<Model>],
    stems: &[StemName],
    speed: &dyn Fn(&Model) -> Option<f64>,
) -> Option<(Arc<Model>, String)> {
    let candidates: Vec<_> = models
        .iter()
        .map(|model| RatedModel { card: model.card(), real_time_factor: speed(model) })
        .collect();
    let Chosen { index, reason } = choose(quality, &candidates, stems)?;
    Some((Arc::clone(models.get(index)?), reason))
}
