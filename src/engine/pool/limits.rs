//! How long an engine may take, by how long it usually takes.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{ModelCard, ModelName};

/// When an engine counts as hanging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// A segment may take so many times what the model usually takes for one.
    pub factor: u32,
    /// But never less than this: a machine may be busy with something else for a while.
    pub least: Duration,
    /// What loading a model may take.
    pub load: Duration,
    /// What an engine that was asked to stop may take for that, before its thread is given up.
    pub grace: Duration,
}

impl Default for TimeLimits {
    fn default() -> TimeLimits {
        TimeLimits {
            factor: 20,
            least: Duration::from_secs(30),
            load: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        }
    }
}

impl TimeLimits {
    /// Until a model has been measured it counts as this much slower than real time.
    const UNMEASURED: u32 = 3;

    /// What a segment may take of a model that has not been measured yet.
    pub fn unmeasured(&self, card: &ModelCard) -> Duration {
        self.of_usual(card.segment.duration(card.sample_rate) * Self::UNMEASURED)
    }

    fn of_usual(&self, usual: Duration) -> Duration {
        usual.saturating_mul(self.factor).max(self.least)
    }
}

/// What the models usually take for a segment.
#[derive(Debug, Default)]
pub(super) struct UsualTimes(HashMap<ModelName, Duration>);

impl UsualTimes {
    /// How much a new measurement counts, as one in so many.
    const SLOWNESS: u32 = 8;

    /// What an owner pays at most for a segment, in times of what is usual. A machine that is busy with something
    /// else must not be held against whose turn it was; a bag's specialists differ by their number, which may be.
    const DEAREST: u32 = 2;

    /// What a segment costs its owner that took so long.
    pub(super) fn price(&self, model: &ModelName, taken: Duration) -> Duration {
        match self.0.get(model) {
            Some(usual) => taken.min(*usual * Self::DEAREST),
            None => taken,
        }
    }

    /// Counts a segment that went well.
    pub(super) fn count(&mut self, model: &ModelName, taken: Duration) {
        match self.0.get_mut(model) {
            Some(usual) => {
                *usual = (*usual * (Self::SLOWNESS - 1) + taken) / Self::SLOWNESS;
            }
            None => {
                self.0.insert(model.clone(), taken);
            }
        }
    }

    /// How long the next segment may take.
    pub(super) fn limit(&self, card: &ModelCard, limits: &TimeLimits) -> Duration {
        match self.0.get(&card.name) {
            Some(&usual) => limits.of_usual(usual),
            None => limits.unmeasured(card),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Catalog;

    #[test]
    fn a_hiccup_of_the_machine_is_not_charged() {
        let model = Catalog::open(None).find("mini").unwrap().card().name.clone();
        let (ms, mut times) = (Duration::from_millis, UsualTimes::default());
        assert_eq!(times.price(&model, ms(900)), ms(900));
        times.count(&model, ms(300));
        assert_eq!(times.price(&model, ms(100)), ms(100));
        assert_eq!(times.price(&model, ms(500)), ms(500));
        assert_eq!(times.price(&model, ms(1900)), ms(600));
    }

    #[test]
    fn the_limit_follows_what_is_usual() {
        let catalog = Catalog::open(None);
        let model = catalog.find("mini").unwrap();
        let card = model.card();
        let limits =
            TimeLimits { factor: 10, least: Duration::from_secs(2), ..TimeLimits::default() };
        let mut times = UsualTimes::default();
        // Four seconds of audio, three times slower than real time, ten times that.
        assert_eq!(times.limit(card, &limits), Duration::from_secs(120));
        times.count(&card.name, Duration::from_secs(1));
        assert_eq!(times.limit(card, &limits), Duration::from_secs(10));
        for _ in 0..100 {
            times.count(&card.name, Duration::from_millis(10));
        }
        assert_eq!(times.limit(card, &limits), Duration::from_secs(2));
    }
}
