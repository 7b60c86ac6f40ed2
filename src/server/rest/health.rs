//! `GET /health`: whether the server takes work.

use axum::extract::State as Extract;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Rest, json};
use crate::engine::EngineError;
use crate::engine::autotune::BenchmarkResult;
use crate::engine::fallback::circuit_breaker::CircuitState;
use crate::engine::provider::selection::SelectedExecution;
use crate::separation::{SeparationError, Separations};
use crate::server::status::Problem;

/// The server's health. It names no path and no session: those who watch over the server may see it
/// without its token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthView {
    /// `ok`; `busy` while no session can be opened; `unavailable` where no engine works.
    #[schema(example = "ok")]
    status: &'static str,
    /// What stands in the way; empty where nothing does.
    message: String,
    /// What to do about it: one sentence; empty where nothing stands in the way.
    remedy: String,
    /// The server's version.
    version: &'static str,
    /// Such as `onnxruntime 1.31.1`.
    runtime: String,
    /// The chain of engines, in the order in which they are tried.
    engines: Vec<EngineHealthView>,
    /// Sessions that receive and compute.
    open_sessions: usize,
    /// Sessions that wait for a place.
    queued_sessions: usize,
}

/// An engine of the chain.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EngineHealthView {
    /// The model's name.
    model: String,
    /// Its stems.
    stems: Vec<String>,
    /// `working`, `failed` or `probed`.
    #[schema(example = "working")]
    state: &'static str,
    /// Why it does not work, in short: the log and the gRPC call `Health` tell all. Empty where it does.
    message: String,
    /// What computes it; null where its model is not there.
    execution: Option<ExecutionView>,
}

/// What computes a model on this machine, and why.
#[derive(Debug, Serialize, ToSchema)]
struct ExecutionView {
    /// Such as `cpu`, `openvino`, `cuda`.
    #[schema(example = "cpu")]
    execution_provider: &'static str,
    /// Such as `f32`.
    #[schema(example = "f32")]
    precision: &'static str,
    /// Why, in words.
    reason: String,
    /// What was tried, at this start of the server or at an earlier one.
    trials: Vec<TrialView>,
}

/// What was tried for a model, against the CPU in 32-bit floats. Why something is left out may name paths: the log
/// and the gRPC call `Health` tell it.
#[derive(Debug, Serialize, ToSchema)]
struct TrialView {
    /// Such as `openvino`.
    execution_provider: &'static str,
    /// Such as `f32`.
    precision: &'static str,
    /// How many times as fast; null where it is left out.
    speed: Option<f64>,
    /// Signal-to-noise ratio of the stem that has the worst, in dB; null where no sample differs or it is left out.
    snr_db: Option<f64>,
}

/// Tells how the server is; 503 where no engine works.
#[utoipa::path(
    get,
    path = "/health",
    tag = "server",
    responses(
        (status = 200, description = "how the server is", body = HealthView),
        (status = 503, description = "no engine works", body = HealthView),
        (status = "default", description = "refused", body = Problem),
    ),
)]
pub(super) async fn health(Extract(rest): Extract<Rest>) -> Answer {
    let health = rest.work(|separations| Ok(look(separations))).await?;
    let status = match health.status {
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    Ok(json(status, &health))
}

fn look(separations: &Separations) -> HealthView {
    let chain = separations.chain();
    let faults = chain.unavailable().iter().map(|fault| EngineHealthView {
        model: fault.name.clone(),
        stems: Vec::new(),
        state: "failed",
        message: fault.error.public_message(),
        execution: None,
    });
    let providers = separations.pool().providers();
    let models = chain.models().iter().map(|model| {
        let health = chain.health(model);
        EngineHealthView {
            model: model.card().name.to_string(),
            stems: model.card().stems.iter().map(ToString::to_string).collect(),
            state: match health.circuit {
                CircuitState::Closed => "working",
                CircuitState::Open => "failed",
                CircuitState::Probing => "probed",
            },
            message: health.error.as_ref().map(EngineError::public_message).unwrap_or_default(),
            execution: Some(execution(providers.for_model(model))),
        }
    });
    let obstacle = separations.obstacle();
    let remedy = obstacle.as_ref().map(SeparationError::remedy).unwrap_or_default();
    let (status, message) = match obstacle {
        None => ("ok", String::new()),
        Some(SeparationError::Engine(error)) => ("unavailable", error.public_message()),
        Some(error) => ("busy", error.to_string()),
    };
    let counts = separations.counts();
    HealthView {
        status,
        message,
        remedy,
        version: env!("CARGO_PKG_VERSION"),
        runtime: providers.runtime().name().to_owned(),
        engines: faults.chain(models).collect(),
        open_sessions: counts.open,
        queued_sessions: counts.queued,
    }
}

fn execution(choice: SelectedExecution) -> ExecutionView {
    ExecutionView {
        execution_provider: choice.execution.provider.as_str(),
        precision: choice.execution.precision.as_str(),
        reason: choice.reason,
        trials: choice.results.iter().map(trial).collect(),
    }
}

fn trial(tried: &BenchmarkResult) -> TrialView {
    let execution = tried.candidate.execution;
    let figures = tried.result.as_ref().ok();
    TrialView {
        execution_provider: execution.provider.as_str(),
        precision: execution.precision.as_str(),
        speed: figures.map(|figures| figures.speed),
        // JSON has no infinity.
        snr_db: figures.map(|figures| figures.snr_db).filter(|snr_db| snr_db.is_finite()),
    }
}
