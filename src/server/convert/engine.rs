//! Models and engines as clients see them.

use prost_types::Timestamp;

use super::hash;
use crate::engine::Model;
use crate::engine::breaker::{Condition, Health};
use crate::engine::chain::Fault;
use crate::engine::compute::Choice;
use crate::engine::trial::Tried;
use crate::separation::reason_of;
use crate::session::manifest;
use crate::wire;

/// A model, and how it is computed.
pub(in crate::server) fn model(model: &Model, health: &Health, choice: &Choice) -> wire::Model {
    let card = model.card();
    let state = match health.condition {
        Condition::Open | Condition::Probing => wire::ModelState::Broken,
        Condition::Closed if model.is_loaded() => wire::ModelState::Loaded,
        Condition::Closed => wire::ModelState::Available,
    };
    let broken = health.error.as_ref().filter(|_| state == wire::ModelState::Broken);
    wire::Model {
        name: card.name.to_string(),
        title: card.title.clone(),
        stems: card.stems.iter().map(ToString::to_string).collect(),
        sample_rate: card.sample_rate.0,
        segment_frames: card.segment.0,
        weights_sha256: card.weights_hash().0.to_vec(),
        verified: model.is_verified(),
        health: Some(engine_health(health)),
        licence: card.licence.clone(),
        state: state.into(),
        message: broken.map(ToString::to_string).unwrap_or_default(),
        execution: Some(execution(choice)),
    }
}

fn execution(choice: &Choice) -> wire::Execution {
    wire::Execution {
        execution_provider: choice.execution.provider.to_string(),
        precision: choice.execution.precision.to_string(),
        reason: choice.reason.clone(),
        trials: choice.tried.iter().map(trial).collect(),
    }
}

fn trial(tried: &Tried) -> wire::Trial {
    let execution = tried.candidate.execution;
    let figures = tried.result.as_ref().ok();
    wire::Trial {
        execution_provider: execution.provider.to_string(),
        precision: execution.precision.to_string(),
        speed: figures.map(|figures| figures.speed),
        snr_db: figures.map(|figures| figures.snr_db),
        message: tried.result.as_ref().err().cloned().unwrap_or_default(),
    }
}

/// A name of the chain that has no model.
pub(in crate::server) fn fault(fault: &Fault) -> wire::Model {
    let message = fault.error.to_string();
    wire::Model {
        name: fault.name.clone(),
        state: wire::ModelState::Broken.into(),
        message: message.clone(),
        health: Some(wire::EngineHealth {
            state: wire::EngineState::Failed.into(),
            failures: 1,
            since: None,
            reason: reason_of(&fault.error).as_str().to_owned(),
            message,
        }),
        ..wire::Model::default()
    }
}

fn engine_health(health: &Health) -> wire::EngineHealth {
    let error = health.error.as_ref();
    wire::EngineHealth {
        state: match health.condition {
            Condition::Closed => wire::EngineState::Working,
            Condition::Open => wire::EngineState::Failed,
            Condition::Probing => wire::EngineState::Probed,
        }
        .into(),
        failures: health.failures,
        since: health.since.map(Timestamp::from),
        reason: error.map(|error| reason_of(error).as_str().to_owned()).unwrap_or_default(),
        message: error.map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn engine(engine: &manifest::Engine) -> wire::Engine {
    wire::Engine {
        model: engine.model.clone(),
        weights_sha256: hash(&engine.weights),
        verified: engine.verified,
        execution_provider: engine.provider.clone(),
        runtime: engine.runtime.clone(),
        threads: engine.threads,
        precision: engine.precision.clone(),
    }
}

/// A change of the engine.
pub(in crate::server) fn engine_change(change: &manifest::EngineChange) -> wire::EngineChange {
    wire::EngineChange {
        from: Some(engine(&change.from)),
        to: Some(engine(&change.to)),
        frame: change.frame.0,
        reason: change.reason.as_str().to_owned(),
        message: change.message.clone(),
    }
}
