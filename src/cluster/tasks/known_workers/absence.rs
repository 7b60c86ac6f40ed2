//! How long engines and models have not been at any worker.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engines::Setup;
use super::{KnownState, KnownWorker, KnownWorkers};
use crate::cluster::tasks::key::TaskExecution;
use crate::engine::EngineIdentity;
use crate::model::{Model, Sha256Hash};

/// Time for which it is remembered when an engine was lost. It is longer than any that is waited for.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// When engines were there for the last time, and models with any.
#[derive(Debug)]
pub(super) struct Absences {
    lost: HashMap<Lost, Instant>,
    /// What is not there counts as absent from then on at the earliest: workers have had no time to announce themselves.
    pub(super) begun: Instant,
}

/// What may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lost {
    Engine(TaskExecution),
    Model(Sha256Hash),
    /// All engines of a model with a setup, whatever their provider: that of a member of an ensemble.
    Member(Sha256Hash, Setup),
}

impl Absences {
    /// Nothing has been there.
    pub(super) fn new() -> Absences {
        Absences { lost: HashMap::new(), begun: Instant::now() }
    }

    /// The workers have the time from now on to announce themselves.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = now;
    }

    /// The engines of a worker were there until now.
    pub(super) fn note(&mut self, before: &KnownWorker, now: Instant) {
        for (engine, execution) in before.worker.engines.iter().zip(&before.executions) {
            self.lost.insert(Lost::Engine(execution.clone()), now);
            self.lost.insert(Lost::Model(engine.weights), now);
            self.lost.insert(Lost::Member(engine.weights, Setup::of(engine)), now);
        }
    }

    /// Forgets what has been lost for long.
    pub(super) fn forget_old(&mut self, now: Instant) {
        self.lost.retain(|_, &mut since| now.saturating_duration_since(since) < REMEMBERED);
    }

    fn since(&self, lost: &Lost) -> Instant {
        self.lost.get(lost).map_or(self.begun, |&since| since.max(self.begun))
    }
}

impl KnownWorkers {
    /// The time for which `engine` has not been there, or any engine of `model`. That of an ensemble is there while all its members
    /// are.
    pub fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        self.absent_at(model, engine, Instant::now())
    }

    pub(super) fn absent_at(
        &self,
        model: &Model,
        engine: Option<&EngineIdentity>,
        now: Instant,
    ) -> Duration {
        let needed = needed(model, engine);
        let state = self.lock();
        let lost = needed.iter().filter(|lost| !state.has(lost));
        let since = lost.map(|lost| state.absences.since(lost)).min();
        let begun = state.absences.begun;
        drop(state);
        match since {
            Some(since) => now.saturating_duration_since(since),
            // All members are there, but not with one setup, and may never be.
            None if model.ensemble().is_some() && self.engines(model).is_empty() => {
                now.saturating_duration_since(begun)
            }
            None => Duration::ZERO,
        }
    }
}

/// What workers must have for `engine`, or for any engine of a model.
fn needed(model: &Model, engine: Option<&EngineIdentity>) -> Vec<Lost> {
    let members = model.ensemble().map_or(&[][..], |ensemble| &ensemble.members);
    let weights = |model: &Model| model.card().weights_hash();
    match (members.split_first(), engine) {
        (None, Some(engine)) => vec![Lost::Engine(TaskExecution::of(engine))],
        (None, None) => vec![Lost::Model(weights(model))],
        (Some(_), None) => members.iter().map(|member| Lost::Model(weights(member))).collect(),
        (Some((first, others)), Some(engine)) => {
            let of_first = EngineIdentity { weights: weights(first), ..engine.clone() };
            let of_first = Lost::Engine(TaskExecution::of(&of_first));
            let member = |member: &Arc<Model>| Lost::Member(weights(member), Setup::of(engine));
            std::iter::once(of_first).chain(others.iter().map(member)).collect()
        }
    }
}

impl KnownState {
    fn has(&self, wanted: &Lost) -> bool {
        self.workers.values().any(|known| match wanted {
            Lost::Engine(execution) => known.executions.contains(execution),
            Lost::Model(weights) => {
                known.worker.engines.iter().any(|engine| engine.weights == *weights)
            }
            Lost::Member(weights, setup) => {
                let mut engines = known.worker.engines.iter();
                engines.any(|engine| engine.weights == *weights && Setup::of(engine) == *setup)
            }
        })
    }
}
