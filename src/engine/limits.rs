//! Time limits of engines.

use std::time::Duration;

use crate::model::ModelCard;

/// When an engine counts as hanging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Limit for a segment, as a multiple of the model's typical time.
    pub factor: u32,
    /// Lower bound of that limit, because the machine may be busy with something else for a while.
    pub minimum: Duration,
    /// Limit for loading a model.
    pub load: Duration,
    /// Time an engine has to stop after it was asked to, before its thread is abandoned.
    pub grace: Duration,
}

impl Default for TimeLimits {
    fn default() -> TimeLimits {
        TimeLimits {
            factor: 20,
            minimum: Duration::from_secs(30),
            load: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        }
    }
}

impl TimeLimits {
    /// Assumed slowness of a model without measurements, relative to real time.
    const UNMEASURED_SLOWNESS: u32 = 3;

    /// Limit for a segment of a model without measurements.
    pub fn for_unmeasured(&self, card: &ModelCard) -> Duration {
        self.for_typical(card.segment.duration(card.sample_rate) * Self::UNMEASURED_SLOWNESS)
    }

    /// Limit for a segment of a model with this typical time.
    pub(super) fn for_typical(&self, typical: Duration) -> Duration {
        typical.saturating_mul(self.factor).max(self.minimum)
    }
}
