//! The workers of a cluster, as a server knows them.
//!
//! They announce themselves, with their [`engines`]; what is not there is [absent](absence) since it was. An engine that fails
//! repeatedly is passed over while another worker has the same ([`circuits`]).

mod absence;
mod circuits;
mod engines;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::announcement::WorkerAnnouncement;
use super::key::TaskExecution;
use crate::cluster::bucket_entry::LIFETIME;
use crate::engine::EngineIdentity;
use crate::engine::fallback::circuit_breaker::{CircuitBreakerConfig, CircuitBreakers};
use crate::engine::pool::RemoteWorker;
use absence::Absences;

/// The workers that have announced themselves.
#[derive(Debug)]
pub struct KnownWorkers {
    state: Mutex<KnownState>,
    circuits: CircuitBreakers,
}

#[derive(Debug)]
struct KnownState {
    workers: BTreeMap<String, KnownWorker>,
    absences: Absences,
}

#[derive(Debug)]
struct KnownWorker {
    worker: RemoteWorker,
    executions: Vec<TaskExecution>,
    seen: Instant,
}

impl Default for KnownWorkers {
    fn default() -> KnownWorkers {
        KnownWorkers::new(CircuitBreakerConfig::default())
    }
}

impl KnownWorkers {
    /// None yet. Their engines are passed over as `circuits` says.
    pub fn new(circuits: CircuitBreakerConfig) -> KnownWorkers {
        let state = KnownState { workers: BTreeMap::new(), absences: Absences::new() };
        KnownWorkers { state: Mutex::new(state), circuits: CircuitBreakers::new(circuits) }
    }

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
            Some(before) => state.absences.note(&before, now),
        }
    }

    /// A worker has stopped.
    pub fn left(&self, name: &str) {
        self.ended(&WorkerAnnouncement::key(name));
    }

    /// The worker with this entry has stopped.
    pub(super) fn ended(&self, key: &str) {
        self.remove(&mut self.lock(), key, Instant::now(), "a worker has left");
    }

    /// Removes workers that have not announced themselves for long. Returns whether there was one.
    pub(super) fn expire(&self) -> bool {
        self.expire_at(Instant::now())
    }

    fn expire_at(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.absences.forget_old(now);
        let is_lost = |known: &KnownWorker| now.saturating_duration_since(known.seen) >= LIFETIME;
        let lost = state.workers.iter().filter(|(_, known)| is_lost(known));
        let lost: Vec<_> = lost.map(|(key, _)| key.clone()).collect();
        lost.iter().for_each(|key| self.remove(&mut state, key, now, "a worker is lost"));
        !lost.is_empty()
    }

    /// Announcements cannot arrive now: all workers have their time again.
    pub(super) fn prolong(&self) {
        self.prolong_at(Instant::now());
    }

    fn prolong_at(&self, now: Instant) {
        let mut state = self.lock();
        state.absences.begin(now);
        state.workers.values_mut().for_each(|known| known.seen = now);
    }

    /// All workers.
    pub fn all(&self) -> Vec<RemoteWorker> {
        let state = self.lock();
        let worker = |known: &KnownWorker| RemoteWorker {
            faults: self.faults(&known.worker),
            ..known.worker.clone()
        };
        let mut workers: Vec<_> = state.workers.values().map(worker).collect();
        workers.sort_by(|one, other| one.name.cmp(&other.name));
        workers
    }

    fn remove(&self, state: &mut KnownState, key: &str, now: Instant, what: &str) {
        let Some(known) = state.workers.remove(key) else { return };
        tracing::info!(worker = known.worker.name, "{what}");
        state.absences.note(&known, now);
        self.forget_circuits(&known.worker);
    }

    fn lock(&self) -> MutexGuard<'_, KnownState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownWorker {
    /// Its engine with this execution.
    fn engine(&self, execution: &TaskExecution) -> Option<&EngineIdentity> {
        let at = self.executions.iter().position(|own| own == execution)?;
        self.worker.engines.get(at)
    }
}

#[cfg(test)]
mod tests;
