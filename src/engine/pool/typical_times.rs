//! The typical time of each model for a segment, from which its time limit and its cost are derived.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::limits::TimeLimits;
use crate::model::{ModelCard, ModelName};

/// Typical time of each model for a segment: a moving average.
#[derive(Debug, Default)]
pub(super) struct TypicalTimes(HashMap<ModelName, Duration>);

impl TypicalTimes {
    /// Weight of a new measurement in the average, as 1 / this.
    const SMOOTHING: u32 = 8;

    /// Most that a segment costs its owner, as a multiple of the typical time. A machine that is busy with something
    /// else must not count against the session that happened to run; the specialists of a bag differ by their number,
    /// which may count.
    const MAX_COST_FACTOR: u32 = 2;

    /// Cost of a segment to its owner.
    pub(super) fn cost(&self, model: &ModelName, taken: Duration) -> Duration {
        match self.0.get(model) {
            Some(typical) => taken.min(*typical * Self::MAX_COST_FACTOR),
            None => taken,
        }
    }

    /// Records the time of a successful segment.
    pub(super) fn record(&mut self, model: &ModelName, taken: Duration) {
        match self.0.get_mut(model) {
            Some(typical) => {
                *typical = (*typical * (Self::SMOOTHING - 1) + taken) / Self::SMOOTHING;
            }
            None => {
                self.0.insert(model.clone(), taken);
            }
        }
    }

    /// Limit for the next segment of a model.
    pub(super) fn limit(&self, card: &ModelCard, limits: &TimeLimits) -> Duration {
        match self.0.get(&card.name) {
            Some(&typical) => limits.for_typical(typical),
            None => limits.for_unmeasured(card),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AvailableModels;

    #[test]
    fn the_cost_of_a_slow_segment_is_capped() {
        let model = AvailableModels::open(None).find("mini").unwrap().card().name.clone();
        let (ms, mut times) = (Duration::from_millis, TypicalTimes::default());
        assert_eq!(times.cost(&model, ms(900)), ms(900));
        times.record(&model, ms(300));
        assert_eq!(times.cost(&model, ms(100)), ms(100));
        assert_eq!(times.cost(&model, ms(500)), ms(500));
        assert_eq!(times.cost(&model, ms(1900)), ms(600));
    }

    #[test]
    fn the_limit_follows_the_typical_time() {
        let available = AvailableModels::open(None);
        let model = available.find("mini").unwrap();
        let card = model.card();
        let limits =
            TimeLimits { factor: 10, minimum: Duration::from_secs(2), ..TimeLimits::default() };
        let mut times = TypicalTimes::default();
        // Four seconds of audio, three times slower than real time, ten times that.
        assert_eq!(times.limit(card, &limits), Duration::from_secs(120));
        times.record(&card.name, Duration::from_secs(1));
        assert_eq!(times.limit(card, &limits), Duration::from_secs(10));
        for _ in 0..100 {
            times.record(&card.name, Duration::from_millis(10));
        }
        assert_eq!(times.limit(card, &limits), Duration::from_secs(2));
    }
}
