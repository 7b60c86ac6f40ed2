//! A bag of specialists: one set of weights for each stem, all for the same graph.
//!
//! The reference runs all of them and weighs each stem's answers one-hot; here a specialist runs only
//! when its stem is wanted, and is loaded when it is wanted for the first time.

use std::sync::Arc;
use std::time::Instant;

use crate::audio::Stereo;
use crate::engine::inference::htdemucs::Demucs;
use crate::engine::{Engine, EngineError, EngineOptions, ExecutionConfig, Stopper};
use crate::model::Model;

/// The specialists that have been wanted so far.
pub(crate) struct Bag {
    model: Arc<Model>,
    compute: ExecutionConfig,
    /// In the card's order of stems.
    specialists: Vec<Option<Demucs>>,
}

impl Bag {
    /// A bag with nothing in it yet.
    pub(crate) fn new(model: Arc<Model>, compute: ExecutionConfig) -> Bag {
        let specialists = model.card().stems.iter().map(|_| None).collect();
        Bag { model, compute, specialists }
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
            let specialist = self.model.load_specialist(stem, &self.compute)?;
            let seconds = start.elapsed().as_secs_f64();
            tracing::info!(model = %card.name, specialist = %stem, seconds, "loaded");
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
        // They run one after the other: the one that does is reached, and those that have yet to.
        Some(Arc::new(move || all.iter().for_each(|stop| stop())))
    }
}
