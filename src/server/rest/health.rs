//! `GET /health`: whether the server can separate.

use axum::extract::State as Extract;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Rest, RouteResult, json};
use crate::audio::FileFormat;
use crate::encode;
use crate::engine::EngineError;
use crate::engine::autotune::BenchmarkResult;
use crate::engine::fallback::circuit_breaker::CircuitState;
use crate::engine::provider::selection::SelectedExecution;
use crate::separation::{SeparationError, Separations};
use crate::server::status::Problem;
use crate::session::SessionError;

/// Health of the server. Needs no token, so it contains no paths and no sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthView {
    /// `ok`; `busy` while no session can be created; `unavailable` if no engine works or sessions cannot be stored.
    #[schema(example = "ok")]
    status: &'static str,
    /// Why the status is not `ok`; else empty.
    message: String,
    /// The remedy, as one imperative sentence; else empty.
    remedy: String,
    /// The server's version.
    version: &'static str,
    /// Name and version of the runtime, for example `onnxruntime 1.31.1`; empty where the workers of a cluster compute.
    runtime: String,
    /// The chain of engines, in order.
    engines: Vec<EngineHealthView>,
    /// Sessions that hold a slot.
    open_sessions: usize,
    /// Sessions that wait for a slot.
    queued_sessions: usize,
    /// Sessions without a slot that wait for more of their upload.
    parked_sessions: usize,
    /// How far decoders are confined: `full`, `partial` or `none`.
    #[schema(example = "full")]
    decoder_sandbox: String,
    /// Formats of downloads, for the option `format`.
    #[schema(example = json!(["wav-s16", "flac", "mp3"]))]
    download_formats: Vec<&'static str>,
    /// The workers that compute for the server; null where it computes itself.
    cluster: Option<ClusterView>,
}

/// The workers of a cluster, and what they have to do. The gRPC call `Health` names them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClusterView {
    /// Workers.
    workers: usize,
    /// Segments that they compute at a time.
    lanes: usize,
    /// Engines of workers that fail, so that other workers get the segments of their models.
    failed_engines: usize,
    /// Workers that lack models of gateways: they are fetching them, or cannot.
    lacking_workers: usize,
    /// Segments of all gateways in the queue, those that are being computed included.
    queued_segments: u64,
    /// Segments of this gateway that wait for room in the queue.
    waiting_segments: usize,
}

/// An engine of the chain.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EngineHealthView {
    /// The model's name.
    model: String,
    /// Its stems.
    stems: Vec<String>,
    /// `working`, `failed` or `probed` (failed, and being tested).
    #[schema(example = "working")]
    state: &'static str,
    /// Why the engine does not work; empty if it does. The log and the gRPC call `Health` have details.
    message: String,
    /// How the model is executed; null if it cannot be loaded, or no worker has it.
    execution: Option<ExecutionView>,
    /// Its speed on one song; null until it has been measured.
    speed: Option<SpeedView>,
}

/// The measured speed of a model, with its default overlap.
#[derive(Debug, Serialize, ToSchema)]
struct SpeedView {
    /// Seconds of a song that are computed per second.
    #[schema(example = 2.1)]
    real_time_factor: f64,
    /// Whether a song takes longer than it lasts.
    slower_than_real_time: bool,
}

/// How a model is executed on this machine, and why.
#[derive(Debug, Serialize, ToSchema)]
struct ExecutionView {
    /// `cpu`, `openvino` or `cuda`.
    #[schema(example = "cpu")]
    execution_provider: &'static str,
    /// `f32`, `tf32` or `bf16`.
    #[schema(example = "f32")]
    precision: &'static str,
    /// Why this provider was selected.
    reason: String,
    /// Measurements of this or an earlier start.
    trials: Vec<TrialView>,
}

/// Measurement of a provider against the CPU in float32. Causes of failures may contain paths: they are only in
/// the log and in the gRPC call `Health`.
#[derive(Debug, Serialize, ToSchema)]
struct TrialView {
    /// `cpu`, `openvino` or `cuda`.
    execution_provider: &'static str,
    /// `f32`, `tf32` or `bf16`.
    precision: &'static str,
    /// Speed relative to the CPU; null if the provider was rejected.
    speed: Option<f64>,
    /// Lowest signal-to-noise ratio of the stems, in dB; null if infinite or the provider was rejected.
    snr_db: Option<f64>,
}

/// Returns the server's health.
///
/// 503 if no engine works, or if sessions cannot be stored.
#[utoipa::path(
    get,
    path = "/health",
    tag = "server",
    responses(
        (status = 200, description = "ok or busy", body = HealthView),
        (status = 503, description = "unavailable", body = HealthView),
        (status = "default", description = "error", body = Problem),
    ),
)]
pub(super) async fn health(Extract(rest): Extract<Rest>) -> RouteResult {
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
        speed: None,
    });
    let pool = separations.pool();
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
            execution: pool.execution(model).map(execution),
            speed: pool.speed(model).map(|speed| SpeedView {
                real_time_factor: speed.real_time_factor(model.card(), None),
                slower_than_real_time: speed.is_slower_than_real_time(model.card(), None),
            }),
        }
    });
    let obstacle = separations.obstacle();
    let remedy = obstacle.as_ref().map(SeparationError::remedy).unwrap_or_default();
    let (status, message) = match obstacle {
        None => ("ok", String::new()),
        Some(SeparationError::Engine(error)) => ("unavailable", error.public_message()),
        Some(error @ SeparationError::Session(SessionError::Storage(_))) => {
            ("unavailable", error.to_string())
        }
        Some(error) => ("busy", error.to_string()),
    };
    let counts = separations.counts();
    HealthView {
        status,
        message,
        remedy,
        version: env!("CARGO_PKG_VERSION"),
        runtime: pool.runtime().map(|runtime| runtime.name().to_owned()).unwrap_or_default(),
        engines: faults.chain(models).collect(),
        open_sessions: counts.open,
        queued_sessions: counts.queued,
        parked_sessions: counts.parked,
        decoder_sandbox: separations.sandbox().level().to_string(),
        download_formats: encode::available(separations.ffmpeg().as_ref())
            .map(FileFormat::name)
            .collect(),
        cluster: pool.cluster().map(|cluster| ClusterView {
            workers: cluster.workers.len(),
            lanes: cluster.lanes(),
            failed_engines: cluster.failed().count(),
            lacking_workers: cluster.lacking(),
            queued_segments: cluster.queued,
            waiting_segments: cluster.waiting,
        }),
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
