//! The workers of a cluster, as a server knows them, and the engines that they have.
//!
//! A session is to be computed by one engine. Of several engines of a model, that of most lanes is preferred, so that all servers
//! of a cluster choose the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::announcement::WorkerAnnouncement;
use super::key::TaskExecution;
use crate::engine::EngineIdentity;
use crate::engine::pool::RemoteWorker;
use crate::model::{Model, Sha256Hash};

/// Time without an announcement after which a worker is lost.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);

/// Time for which it is remembered when an engine was lost. It is longer than any that is waited for.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// The workers that have announced themselves.
#[derive(Debug)]
pub struct KnownWorkers(Mutex<KnownState>);

#[derive(Debug)]
struct KnownState {
    workers: BTreeMap<String, KnownWorker>,
    /// When engines were there for the last time, and models with any.
    lost: HashMap<Lost, Instant>,
    /// What is not there counts as absent from then on at the earliest: workers have had no time to announce themselves.
    begun: Instant,
}

#[derive(Debug)]
struct KnownWorker {
    worker: RemoteWorker,
    executions: Vec<TaskExecution>,
    seen: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lost {
    Engine(TaskExecution),
    Model(Sha256Hash),
}

impl Default for KnownWorkers {
    fn default() -> KnownWorkers {
        let (workers, lost) = (BTreeMap::new(), HashMap::new());
        KnownWorkers(Mutex::new(KnownState { workers, lost, begun: Instant::now() }))
    }
}

impl KnownWorkers {
    /// A worker has announced itself, for the first time or again.
    pub fn announced(&self, announcement: &WorkerAnnouncement) {
        self.announced_at(announcement, Instant::now());
    }

    fn announced_at(&self, announcement: &WorkerAnnouncement, now: Instant) {
        let worker = announcement.worker();
        let executions = worker.engines.iter().map(TaskExecution::of).collect();
        let mut state = self.lock();
        let (key, name) = (WorkerAnnouncement::key(&worker.name), worker.name.clone());
        let (lanes, engines) = (worker.lanes, worker.engines.len());
        let known = KnownWorker { worker, executions, seen: now };
        let before = state.workers.insert(key, known);
        match before {
            None => tracing::info!(worker = name, lanes, engines, "a worker has joined"),
            Some(before) => state.note_lost(&before, now),
        }
    }

    /// A worker has stopped.
    pub fn left(&self, name: &str) {
        self.ended(&WorkerAnnouncement::key(name));
    }

    /// The worker with this entry has stopped.
    pub(super) fn ended(&self, key: &str) {
        self.lock().remove(key, Instant::now(), "a worker has left");
    }

    /// Removes workers that have not announced themselves for long. Returns whether there was one.
    pub(super) fn expire(&self) -> bool {
        self.expire_at(Instant::now())
    }

    fn expire_at(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.lost.retain(|_, &mut since| now.saturating_duration_since(since) < REMEMBERED);
        let is_lost = |known: &KnownWorker| now.saturating_duration_since(known.seen) >= LIFETIME;
        let lost = state.workers.iter().filter(|(_, known)| is_lost(known));
        let lost: Vec<_> = lost.map(|(key, _)| key.clone()).collect();
        lost.iter().for_each(|key| state.remove(key, now, "a worker is lost"));
        !lost.is_empty()
    }

    /// Announcements cannot arrive now: all workers have their time again.
    pub(super) fn prolong(&self) {
        self.prolong_at(Instant::now());
    }

    fn prolong_at(&self, now: Instant) {
        let mut state = self.lock();
        state.begun = now;
        state.workers.values_mut().for_each(|known| known.seen = now);
    }

    /// The engines of a model, that of most lanes first. Those of an ensemble are those of its first model.
    pub fn engines(&self, model: &Model) -> Vec<EngineIdentity> {
        let first = first_of(model);
        let mut found: BTreeMap<TaskExecution, (usize, EngineIdentity)> = BTreeMap::new();
        for known in self.lock().workers.values() {
            let engines = known.worker.engines.iter().zip(&known.executions);
            for (engine, execution) in engines.filter(|(engine, _)| engine.weights == first) {
                let new = || (0, named(engine, model));
                found.entry(execution.clone()).or_insert_with(new).0 += known.worker.lanes;
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        // Stable: of equally many lanes, the first by its hash.
        found.sort_by_key(|&(lanes, _)| Reverse(lanes));
        found.into_iter().map(|(_, engine)| engine).collect()
    }

    /// The time for which `engine` has not been there, or any engine of `model`.
    pub fn absent(&self, model: &Model, engine: Option<&EngineIdentity>) -> Duration {
        self.absent_at(model, engine, Instant::now())
    }

    fn absent_at(&self, model: &Model, engine: Option<&EngineIdentity>, now: Instant) -> Duration {
        let weights = first_of(model);
        let lost = match engine {
            Some(engine) => Lost::Engine(execution_of(engine, model)),
            None => Lost::Model(weights),
        };
        let state = self.lock();
        if state.has(&lost) {
            return Duration::ZERO;
        }
        let since = state.lost.get(&lost).map_or(state.begun, |&since| since.max(state.begun));
        now.saturating_duration_since(since)
    }

    /// Segments that the workers with an execution compute at a time.
    pub fn lanes_of(&self, execution: &TaskExecution) -> usize {
        let state = self.lock();
        let has = |known: &&KnownWorker| known.executions.contains(execution);
        state.workers.values().filter(has).map(|known| known.worker.lanes).sum()
    }

    /// All workers.
    pub fn all(&self) -> Vec<RemoteWorker> {
        let state = self.lock();
        let mut workers: Vec<_> =
            state.workers.values().map(|known| known.worker.clone()).collect();
        workers.sort_by(|one, other| one.name.cmp(&other.name));
        workers
    }

    fn lock(&self) -> MutexGuard<'_, KnownState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownState {
    fn remove(&mut self, key: &str, now: Instant, what: &str) {
        let Some(known) = self.workers.remove(key) else { return };
        tracing::info!(worker = known.worker.name, "{what}");
        self.note_lost(&known, now);
    }

    /// Remembers when the engines of a worker were there for the last time.
    fn note_lost(&mut self, before: &KnownWorker, now: Instant) {
        let engines = before.executions.iter().cloned().map(Lost::Engine);
        let models = before.worker.engines.iter().map(|engine| Lost::Model(engine.weights));
        for lost in engines.chain(models) {
            self.lost.insert(lost, now);
        }
    }

    fn has(&self, wanted: &Lost) -> bool {
        self.workers.values().any(|known| match wanted {
            Lost::Engine(execution) => known.executions.contains(execution),
            Lost::Model(weights) => {
                known.worker.engines.iter().any(|engine| engine.weights == *weights)
            }
        })
    }
}

/// The weights by which workers name a model, or the first one of an ensemble.
fn first_of(model: &Model) -> Sha256Hash {
    let first = model.ensemble().and_then(|ensemble| ensemble.members.first());
    first.map_or(model, |first| first).card().weights_hash()
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

/// The execution of an engine; for an ensemble that of its first model.
fn execution_of(engine: &EngineIdentity, model: &Model) -> TaskExecution {
    TaskExecution::of(&EngineIdentity { weights: first_of(model), ..engine.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Precision, Provider};
    use crate::model::AvailableModels;

    fn model() -> std::sync::Arc<Model> {
        AvailableModels::open(None).find("mini").unwrap()
    }

    fn engine(threads: usize) -> EngineIdentity {
        EngineIdentity {
            model: "at-the-worker".parse().unwrap(),
            weights: model().card().weights_hash(),
            verified: true,
            provider: Provider::Cpu,
            runtime: "a library".into(),
            threads,
            precision: Precision::F32,
        }
    }

    fn worker(name: &str, lanes: usize, threads: usize) -> WorkerAnnouncement {
        let announced = WorkerAnnouncement::new(name, lanes, &[engine(threads)]);
        WorkerAnnouncement::from_bytes(&announced.to_bytes()).unwrap()
    }

    fn threads(known: &KnownWorkers) -> Vec<usize> {
        known.engines(&model()).iter().map(|engine| engine.threads).collect()
    }

    #[test]
    fn the_engine_of_most_lanes_is_preferred() {
        let known = KnownWorkers::default();
        assert!(threads(&known).is_empty());
        known.announced(&worker("one", 3, 1));
        known.announced(&worker("two", 2, 4));
        assert_eq!(threads(&known), [1, 4]);
        known.announced(&worker("three", 2, 4));
        assert_eq!(threads(&known), [4, 1]);
        assert_eq!(known.lanes_of(&TaskExecution::of(&engine(4))), 4);
        // Under the name that the model has here.
        assert_eq!(known.engines(&model())[0].model.as_str(), "mini");
        known.left("three");
        assert_eq!(threads(&known), [1, 4]);
        assert_eq!(
            known.all().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["one", "two"]
        );
    }

    #[test]
    fn engines_that_give_other_bits_in_another_version_are_left_out() {
        let known = KnownWorkers::default();
        let mut other = worker("one", 3, 1);
        other.engines[0].execution = "0123456789abcdef.0123456789abcdef".into();
        known.announced(&other);
        assert!(threads(&known).is_empty());
        assert_eq!(known.all().len(), 1);
    }

    #[test]
    fn what_is_lost_is_absent_since_then_and_while_nothing_can_arrive_nothing_is_lost() {
        let known = KnownWorkers::default();
        let (model, second) = (model(), |count: u64| Duration::from_secs(count));
        let begun = known.lock().begun;
        let absent = |after: u64, threads: usize| {
            known.absent_at(&model, Some(&engine(threads)), begun + second(after))
        };
        let any = |after: u64| known.absent_at(&model, None, begun + second(after));
        assert_eq!((absent(5, 1), any(5)), (second(5), second(5)));
        known.announced_at(&worker("one", 1, 1), begun + second(10));
        assert_eq!((absent(39, 1), absent(39, 2), any(39)), (second(0), second(39), second(0)));
        assert!(!known.expire_at(begun + second(39)));
        assert!(known.expire_at(begun + second(40)));
        assert_eq!((absent(47, 1), any(47)), (second(7), second(7)));
        known.prolong_at(begun + second(50));
        assert_eq!((absent(51, 1), absent(51, 2), any(51)), (second(1), second(1), second(1)));
        known.announced_at(&worker("one", 1, 1), begun + second(52));
        known.prolong_at(begun + second(80));
        assert!(!known.expire_at(begun + second(100)));
        // It comes back with another number of threads.
        known.announced_at(&worker("one", 1, 2), begun + second(101));
        assert_eq!((absent(103, 1), absent(103, 2), any(103)), (second(2), second(0), second(0)));
    }
}
