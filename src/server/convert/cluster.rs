//! The workers of a cluster as wire types.

use super::engine::engine_health;
use crate::engine::EngineIdentity;
use crate::engine::pool::{ClusterState, RemoteWorker, WorkerFault};
use crate::model::ModelName;
use crate::proto;

/// The workers, and what they have to do.
pub(in crate::server) fn cluster(state: ClusterState) -> proto::Cluster {
    proto::Cluster {
        workers: state.workers.into_iter().map(worker).collect(),
        queued_segments: state.queued,
        waiting_segments: state.waiting as u64,
    }
}

fn worker(worker: RemoteWorker) -> proto::Worker {
    proto::Worker {
        name: worker.name,
        version: worker.version,
        lanes: u32::try_from(worker.lanes).unwrap_or(u32::MAX),
        engines: worker.engines.into_iter().map(engine).collect(),
        faults: worker.faults.iter().map(fault).collect(),
        missing_models: worker.missing.iter().map(ModelName::to_string).collect(),
    }
}

fn fault(fault: &WorkerFault) -> proto::WorkerFault {
    let (model, health) = (fault.model.to_string(), Some(engine_health(&fault.health)));
    proto::WorkerFault { model, health }
}

fn engine(engine: EngineIdentity) -> proto::Engine {
    let EngineIdentity { model, weights, verified, provider, runtime, threads, precision } = engine;
    proto::Engine {
        model: model.to_string(),
        weights_sha256: weights.0.to_vec(),
        execution_provider: provider.to_string(),
        runtime,
        threads: u32::try_from(threads).unwrap_or(u32::MAX),
        precision: precision.to_string(),
        verified,
        members: Vec::new(),
    }
}
