//! Which engines the workers have for a model.
//!
//! A session is to be computed by one engine. Of several engines of a model, that of most lanes is preferred, so that all servers
//! of a cluster choose the same. An ensemble has the engines of its first model with whose [`Setup`] workers have the others, too.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{KnownState, KnownWorker, KnownWorkers};
use crate::cluster::tasks::key::TaskExecution;
use crate::engine::EngineIdentity;
use crate::model::{Model, Sha256Hash};

/// What the members of an ensemble have in common. Each may have a provider of its own, as on one machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Setup {
    runtime: String,
    threads: usize,
}

impl Setup {
    /// That of an engine.
    pub(super) fn of(engine: &EngineIdentity) -> Setup {
        Setup { runtime: engine.runtime.clone(), threads: engine.threads }
    }
}

impl KnownWorkers {
    /// The engines of a model, that of most lanes first.
    pub fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        let Some(ensemble) = model.ensemble() else { return self.plain_engines(model) };
        let Some((first, others)) = ensemble.members.split_first() else { return Vec::new() };
        let mut engines = self.plain_engines(first);
        engines.retain(|engine| others.iter().all(|one| self.member_engine(one, engine).is_some()));
        engines.iter().map(|engine| named(engine, model)).collect()
    }

    /// The engine that computes `member` where `engine` computes an ensemble: with its provider if there is one, else that of
    /// most lanes.
    pub fn member_engine(&self, member: &Model, engine: &EngineIdentity) -> Option<EngineIdentity> {
        let mut engines = self.plain_engines(member);
        engines.retain(|own| Setup::of(own) == Setup::of(engine));
        let is_same = |own: &EngineIdentity| {
            own.provider == engine.provider && own.precision == engine.precision
        };
        let at = engines.iter().position(is_same).unwrap_or(0);
        (at < engines.len()).then(|| engines.swap_remove(at))
    }

    /// Segments that the workers with an engine of `model` compute at a time. Those of an ensemble have any of its members.
    pub fn lanes_of(&self, model: &Model, engine: &EngineIdentity) -> usize {
        let executions: Vec<_> = match model.ensemble() {
            None => vec![TaskExecution::of(engine)],
            Some(ensemble) => {
                let members = ensemble.members.iter();
                let engines = members.filter_map(|member| self.member_engine(member, engine));
                engines.map(|engine| TaskExecution::of(&engine)).collect()
            }
        };
        self.lanes(&executions)
    }

    /// Segments that the workers with any of these executions compute at a time: those that are passed over only if there are no
    /// others.
    pub(in crate::cluster::tasks) fn lanes(&self, executions: &[TaskExecution]) -> usize {
        let state = self.lock();
        let lanes = |with: &dyn Fn(&KnownWorker, &TaskExecution) -> bool| -> usize {
            let has = |known: &&KnownWorker| executions.iter().any(|one| with(known, one));
            state.workers.values().filter(has).map(|known| known.worker.lanes).sum()
        };
        match lanes(&|known, execution| self.works(known, execution)) {
            0 => lanes(&|known, execution| known.executions.contains(execution)),
            some => some,
        }
    }

    fn plain_engines(&self, model: &Model) -> Vec<EngineIdentity> {
        let found = self.lock().lanes_by_execution(model.card().weights_hash(), self);
        let mut found: Vec<_> = found.into_values().collect();
        // Stable: of equally many lanes, the first by its hash.
        found.sort_by_key(|&(lanes, _)| Reverse(lanes));
        found.into_iter().map(|(_, engine)| named(&engine, model)).collect()
    }
}

impl KnownState {
    /// The engines with these weights, and the lanes of those that work.
    fn lanes_by_execution(
        &self,
        weights: Sha256Hash,
        workers: &KnownWorkers,
    ) -> BTreeMap<TaskExecution, (usize, EngineIdentity)> {
        let mut found: BTreeMap<TaskExecution, (usize, EngineIdentity)> = BTreeMap::new();
        for known in self.workers.values() {
            let engines = known.worker.engines.iter().zip(&known.executions);
            for (engine, execution) in engines.filter(|(engine, _)| engine.weights == weights) {
                let works = workers.works(known, execution);
                let lanes = if works { known.worker.lanes } else { 0 };
                found.entry(execution.clone()).or_insert_with(|| (0, engine.clone())).0 += lanes;
            }
        }
        found
    }
}

/// An engine of a worker as that of a model here.
fn named(engine: &EngineIdentity, model: &Model) -> EngineIdentity {
    EngineIdentity {
        model: model.card().name.clone(),
        weights: model.card().weights_hash(),
        verified: model.is_verified(),
        ..engine.clone()
    }
}
