//! Models and engines as wire types.

use prost_types::Timestamp;

use super::hash;
use crate::engine::autotune::BenchmarkResult;
use crate::engine::fallback::chain::UnavailableModel;
use crate::engine::fallback::circuit_breaker::{CircuitState, EngineHealth};
use crate::engine::inference;
use crate::engine::provider::selection::SelectedExecution;
use crate::engine::speed::MeasuredSpeed;
use crate::model::Model;
use crate::model::card::PublishedQuality;
use crate::proto;
use crate::separation::{Sandbox, SandboxLevel, reason_of};
use crate::session::manifest;

/// What confines decoders.
pub(in crate::server) fn sandbox(sandbox: Sandbox) -> proto::DecoderSandbox {
    match sandbox.level() {
        SandboxLevel::Full => proto::DecoderSandbox::Full,
        SandboxLevel::Partial => proto::DecoderSandbox::Partial,
        SandboxLevel::None => proto::DecoderSandbox::None,
    }
}

/// A model with its health and its execution provider.
pub(in crate::server) fn model(
    model: &Model,
    health: &EngineHealth,
    choice: Option<&SelectedExecution>,
    speed: Option<&MeasuredSpeed>,
    worker_lanes: Option<usize>,
) -> proto::Model {
    let card = model.card();
    let state = match health.circuit {
        CircuitState::Open | CircuitState::Probing => proto::ModelState::Broken,
        CircuitState::Closed if inference::is_loaded(model) => proto::ModelState::Loaded,
        CircuitState::Closed => proto::ModelState::Available,
    };
    let broken = health.error.as_ref().filter(|_| state == proto::ModelState::Broken);
    proto::Model {
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
        execution: choice.map(execution),
        quality: card.quality.iter().map(quality).collect(),
        commercial_use: card.commercial_use,
        stored_bytes: model.stored_bytes(),
        speed: speed.map(|speed| proto::Speed {
            real_time_factor: speed.real_time_factor(card, None),
            slower_than_real_time: speed.is_slower_than_real_time(card, None),
            execution: speed.execution().to_owned(),
        }),
        worker_lanes: worker_lanes.map(|lanes| u32::try_from(lanes).unwrap_or(u32::MAX)),
    }
}

fn quality(quality: &PublishedQuality) -> proto::PublishedQuality {
    proto::PublishedQuality {
        data: quality.data.clone(),
        source: quality.source.clone(),
        sdr_db: quality.sdr.iter().map(|(stem, &sdr)| (stem.to_string(), sdr)).collect(),
    }
}

fn execution(choice: &SelectedExecution) -> proto::Execution {
    proto::Execution {
        execution_provider: choice.execution.provider.to_string(),
        precision: choice.execution.precision.to_string(),
        reason: choice.reason.clone(),
        trials: choice.results.iter().map(trial).collect(),
    }
}

fn trial(tried: &BenchmarkResult) -> proto::Trial {
    let execution = tried.candidate.execution;
    let figures = tried.result.as_ref().ok();
    proto::Trial {
        execution_provider: execution.provider.to_string(),
        precision: execution.precision.to_string(),
        speed: figures.map(|figures| figures.speed),
        snr_db: figures.map(|figures| figures.snr_db),
        message: tried.result.as_ref().err().cloned().unwrap_or_default(),
    }
}

/// A name in the chain whose model is missing or broken.
pub(in crate::server) fn fault(fault: &UnavailableModel) -> proto::Model {
    let message = fault.error.to_string();
    proto::Model {
        name: fault.name.clone(),
        state: proto::ModelState::Broken.into(),
        message: message.clone(),
        health: Some(proto::EngineHealth {
            state: proto::EngineState::Failed.into(),
            failures: 1,
            since: None,
            reason: reason_of(&fault.error).as_str().to_owned(),
            message,
        }),
        ..proto::Model::default()
    }
}

pub(super) fn engine_health(health: &EngineHealth) -> proto::EngineHealth {
    let error = health.error.as_ref();
    proto::EngineHealth {
        state: match health.circuit {
            CircuitState::Closed => proto::EngineState::Working,
            CircuitState::Open => proto::EngineState::Failed,
            CircuitState::Probing => proto::EngineState::Probed,
        }
        .into(),
        failures: health.failures,
        since: health.since.map(Timestamp::from),
        reason: error.map(|error| reason_of(error).as_str().to_owned()).unwrap_or_default(),
        message: error.map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn engine(engine: &manifest::EngineRecord) -> proto::Engine {
    proto::Engine {
        model: engine.model.clone(),
        weights_sha256: hash(&engine.weights),
        verified: engine.verified,
        execution_provider: engine.provider.clone(),
        runtime: engine.runtime.clone(),
        threads: engine.threads,
        precision: engine.precision.clone(),
        members: engine.members.iter().map(member).collect(),
    }
}

fn member(member: &manifest::MemberRecord) -> proto::EnsembleMember {
    proto::EnsembleMember {
        model: member.model.clone(),
        weights_sha256: hash(&member.weights),
        verified: member.verified,
        execution_provider: member.provider.clone(),
        precision: member.precision.clone(),
    }
}

/// An engine change.
pub(in crate::server) fn engine_change(change: &manifest::EngineChange) -> proto::EngineChange {
    proto::EngineChange {
        from: Some(engine(&change.from)),
        to: Some(engine(&change.to)),
        frame: change.frame.0,
        reason: change.reason.as_str().to_owned(),
        message: change.message.clone(),
    }
}
