//! What a worker announces of itself.

use serde::{Deserialize, Serialize};

use super::key::TaskExecution;
use crate::engine::EngineIdentity;
use crate::engine::pool::RemoteWorker;
use crate::model::{ModelName, Sha256Hash};

/// A worker, as an entry of the bucket of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerAnnouncement {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// Segments that it computes at a time.
    pub lanes: usize,
    /// Its engines, one for each model.
    pub engines: Vec<AnnouncedEngine>,
    /// Names of the gateways' models that it is to fetch and lacks. Entries of earlier versions have none.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// An engine of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedEngine {
    /// The model's name at the worker.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights: Sha256Hash,
    /// Whether they are those of their authors.
    pub verified: bool,
    /// The execution provider.
    pub provider: String,
    /// The precision.
    pub precision: String,
    /// The library and its version.
    pub runtime: String,
    /// Compute threads of a segment.
    pub threads: usize,
    /// The [`TaskExecution`] of its tasks, which differs from that of another version where that has other numerics.
    pub execution: String,
}

impl WorkerAnnouncement {
    /// That of a worker with these engines.
    pub fn new(name: &str, lanes: usize, engines: &[EngineIdentity]) -> WorkerAnnouncement {
        let engines = engines.iter().map(|engine| AnnouncedEngine {
            model: engine.model.to_string(),
            weights: engine.weights,
            verified: engine.verified,
            provider: engine.provider.to_string(),
            precision: engine.precision.to_string(),
            runtime: engine.runtime.clone(),
            threads: engine.threads,
            execution: TaskExecution::of(engine).to_string(),
        });
        let (name, version) = (name.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        WorkerAnnouncement { name, version, lanes, engines: engines.collect(), missing: Vec::new() }
    }

    /// The same worker, which lacks these models.
    pub fn lacking(&self, missing: &[ModelName]) -> WorkerAnnouncement {
        let missing = missing.iter().map(ModelName::to_string).collect();
        WorkerAnnouncement { missing, ..self.clone() }
    }

    /// The bytes of an entry.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers can be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an entry; `None` if it is of another kind.
    pub fn from_bytes(bytes: &[u8]) -> Option<WorkerAnnouncement> {
        serde_json::from_slice(bytes).ok()
    }

    /// The key of the entry: any name makes one.
    pub(super) fn key(name: &str) -> String {
        Sha256Hash::of(name.as_bytes()).to_string()
    }

    /// The worker with those of its engines that this version has, too, and that give the same bits here.
    pub(super) fn worker(&self) -> RemoteWorker {
        RemoteWorker {
            name: self.name.clone(),
            version: self.version.clone(),
            lanes: self.lanes,
            engines: self.engines.iter().filter_map(AnnouncedEngine::identity).collect(),
            faults: Vec::new(),
            missing: self.missing.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

impl AnnouncedEngine {
    fn identity(&self) -> Option<EngineIdentity> {
        let identity = EngineIdentity {
            model: self.model.parse().ok()?,
            weights: self.weights,
            verified: self.verified,
            provider: self.provider.parse().ok()?,
            runtime: self.runtime.clone(),
            threads: self.threads,
            precision: self.precision.parse().ok()?,
        };
        (TaskExecution::of(&identity).as_str() == self.execution).then_some(identity)
    }
}
