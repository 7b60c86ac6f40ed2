//! A bag of specialists: one file of weights per stem, all for the same graph.
//!
//! The reference runs all of them and takes each stem from one (one-hot weights). Here a specialist runs only when its
//! stem is wanted, and is loaded when it is first wanted.

use std::sync::Arc;
use std::time::Instant;

use super::htdemucs::Htdemucs;
use crate::audio::Stereo;
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig, Stopper};
use crate::model::{Model, ModelError};

/// The specialists loaded so far.
pub(crate) struct Bag {
    model: Arc<Model>,
    config: ExecutionConfig,
    /// In the order of the card's stems.
    specialists: Vec<Option<Htdemucs>>,
}

impl Bag {
    /// A bag without loaded specialists.
    pub(crate) fn new(model: Arc<Model>, config: ExecutionConfig) -> Bag {
        let specialists = model.card().stems.iter().map(|_| None).collect();
        Bag { model, config, specialists }
    }
}

impl Engine for Bag {
    /// Loads the specialists of the wanted stems.
    fn prepare(&mut self, options: &EngineOptions) -> Result<(), EngineError> {
        let card = self.model.card();
        for (index, stem) in card.stems.iter().enumerate() {
            if !options.wanted[index] || self.specialists[index].is_some() {
                continue;
            }
            let start = Instant::now();
            let weights = card.specialist(stem).ok_or_else(|| ModelError::Unfit {
                model: card.name.to_string(),
                reason: format!("there is no specialist for {stem}"),
            })?;
            let specialist = Htdemucs::load(&self.model, weights, &self.config)?;
            let seconds = start.elapsed().as_secs_f64();
            tracing::info!(model = %card.name, specialist = %stem, seconds, "specialist loaded");
            self.specialists[index] = Some(specialist);
        }
        Ok(())
    }

    fn separate(
        &mut self,
        mix: &Stereo,
        options: &EngineOptions,
    ) -> Result<Vec<Stereo>, EngineError> {
        self.prepare(options)?;
        let mut stems = Vec::with_capacity(self.specialists.len());
        for (index, specialist) in self.specialists.iter_mut().enumerate() {
            let stem = match specialist {
                Some(specialist) if options.wanted[index] => {
                    let own = (0..options.wanted.len()).map(|stem| stem == index).collect();
                    let own = EngineOptions { wanted: own, ..options.clone() };
                    specialist.separate(mix, &own)?.swap_remove(index)
                }
                _ => Stereo::zeros(mix.len()),
            };
            stems.push(stem);
        }
        Ok(stems)
    }

    fn stopper(&mut self) -> Option<Stopper> {
        let all = self.specialists.iter_mut().flatten();
        let all: Vec<_> = all.filter_map(Engine::stopper).collect();
        // The specialists run one after the other: this stops the one that runs and those after it.
        Some(Arc::new(move || all.iter().for_each(|stop| stop())))
    }
}
