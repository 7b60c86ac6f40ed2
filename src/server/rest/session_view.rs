//! Sessions as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::source_view::SourceView;
use crate::audio::StemName;
use crate::server::path_prefix::prefixed;
use crate::server::status::Problem;
use crate::session::manifest::{self, Manifest};
use crate::session::{Session, SessionId};

/// A session's id and the URLs of its stems.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// Session id (UUID).
    pub(super) session_id: String,
    /// URL of the vocals; absent if they were not requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/download/67e55044-10b1-426f-9247-bb680e5fe0c8/vocals")]
    pub(super) vocals_url: Option<String>,
    /// URL of the accompaniment; absent if it was not requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accompaniment_url: Option<String>,
    /// URLs of all stems, by name.
    pub(super) stems: BTreeMap<String, String>,
    /// URL of the session's status; only with `async=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_url: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Session id (UUID).
    session_id: String,
    /// `UPLOADING`, `RUNNING`, `PAUSED`, `DONE`, `FAILED` or `CANCELLED`.
    #[schema(example = "DONE")]
    state: &'static str,
    /// Name of the uploaded file.
    file_name: String,
    /// Model name.
    model: String,
    /// Why this model was chosen, if `quality` was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_choice: Option<String>,
    /// Bytes received.
    uploaded_bytes: u64,
    /// Whether the upload is complete.
    upload_complete: bool,
    /// Finished frames of every stem.
    finished_frames: u64,
    /// Frames of a complete stem, once known.
    total_frames: Option<u64>,
    /// Decoded frames of the upload, at the stems' sample rate.
    decoded_frames: u64,
    /// Sample rate of the stems in Hz, once known.
    sample_rate: Option<u32>,
    /// What the upload is, once known.
    source: Option<SourceView>,
    /// Position in the queue, from 1; 0 if the session is not queued.
    queue_position: u32,
    /// The stems, in order.
    stems: Vec<StemView>,
    /// URL of a ZIP with all stems.
    zip_url: String,
    /// The current or last engine.
    engine: Option<EngineView>,
    /// How that engine cuts the track.
    windows: WindowsView,
    /// Switches to another engine.
    engine_changes: Vec<EngineChangeView>,
    /// Error of a failed session.
    error: Option<Problem>,
    /// Why the server paused it, if it has; the server continues it by itself.
    delay: Option<Problem>,
    /// English texts for the user. Superseded: `source.notes`, `source.decoder` and `engine.verified` have the same.
    notices: Vec<String>,
    /// Time of creation, in milliseconds since 1970-01-01 UTC.
    created_ms: u64,
    /// Time of the last change, in milliseconds since 1970-01-01 UTC.
    updated_ms: u64,
}

/// A stem.
#[derive(Debug, Serialize, ToSchema)]
struct StemView {
    /// Stem name.
    name: String,
    /// URL of the stem.
    url: String,
    /// URL of its peaks.
    peaks_url: String,
    /// Largest absolute sample so far. Above 1, integer formats clip unless `fit=true`.
    peak: f32,
    /// SHA-256 of the float32 samples, once the stem is finished.
    sha256: Option<String>,
}

/// An engine.
#[derive(Debug, Serialize, ToSchema)]
struct EngineView {
    /// Model name.
    model: String,
    /// SHA-256 of the weights.
    weights_sha256: String,
    /// Whether the weights are known to be those of their authors.
    verified: bool,
    /// `cpu`, `openvino` or `cuda`.
    execution_provider: String,
    /// Name and version of the runtime, for example `onnxruntime 1.31.1`.
    runtime: String,
    /// `f32`, `tf32` or `bf16`.
    precision: String,
    /// The models of an ensemble, whose text is `model`; absent for a single model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<MemberView>,
}

/// A model of an ensemble.
#[derive(Debug, Serialize, ToSchema)]
struct MemberView {
    /// Model name.
    model: String,
    /// SHA-256 of its weights.
    weights_sha256: String,
    /// Whether the weights are known to be those of their authors.
    verified: bool,
    /// `cpu`, `openvino` or `cuda`.
    execution_provider: String,
    /// `f32`, `tf32` or `bf16`.
    precision: String,
}

/// How an engine cuts the track into segments, and weighs them where they overlap.
#[derive(Debug, Serialize, ToSchema)]
struct WindowsView {
    /// `centred`, `mirrored`, `hann` or `columns`.
    #[schema(example = "centred")]
    shape: &'static str,
    /// Fraction of a segment that overlaps the next.
    #[schema(example = 0.25)]
    overlap: f64,
    /// Length of a segment, in frames at the model's rate.
    segment_frames: u64,
}

impl WindowsView {
    fn of(span: &manifest::EngineSpan) -> WindowsView {
        WindowsView { shape: span.shape(), overlap: span.overlap, segment_frames: span.segment.0 }
    }
}

/// A switch to another engine.
#[derive(Debug, Serialize, ToSchema)]
struct EngineChangeView {
    /// Previous model.
    from: String,
    /// Next model.
    to: String,
    /// First frame to which the next model contributes.
    frame: u64,
    /// Reason, an UPPER_SNAKE name.
    reason: &'static str,
    /// Cause.
    message: String,
}

/// A page of the list of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Sessions, newest first.
    pub(super) sessions: Vec<SessionView>,
    /// Token of the next page; absent on the last.
    pub(super) next_page_token: Option<String>,
}

/// URL of a stem.
pub(super) fn stem_url(id: SessionId, stem: &StemName) -> String {
    prefixed(&format!("/download/{id}/{stem}"))
}

/// URL of a session.
pub(super) fn status_url(id: SessionId) -> String {
    prefixed(&format!("/api/sessions/{id}"))
}

impl Links {
    /// The URLs of a session.
    pub(super) fn of(session: &Session) -> Links {
        let manifest = session.durable_manifest();
        let url = |stem: &StemName| stem_url(session.id(), stem);
        let named =
            |name: &str| manifest.plan.stems.iter().find(|stem| stem.as_str() == name).map(url);
        Links {
            session_id: session.id().to_string(),
            vocals_url: named(StemName::VOCALS),
            accompaniment_url: named(StemName::ACCOMPANIMENT),
            stems: manifest.plan.stems.iter().map(|stem| (stem.to_string(), url(stem))).collect(),
            status_url: None,
        }
    }
}

impl SessionView {
    /// The current state of a session.
    pub(super) fn of(session: &Session) -> SessionView {
        let manifest = session.durable_manifest();
        let progress = session.progress_by(&manifest);
        let id = session.id();
        let stem = |stem: &manifest::Stem| StemView {
            name: stem.name.to_string(),
            url: stem_url(id, &stem.name),
            peaks_url: format!("{}/peaks/{}", status_url(id), stem.name),
            peak: stem.peak,
            sha256: stem.sha256.clone(),
        };
        SessionView {
            session_id: id.to_string(),
            state: manifest.state().as_str(),
            file_name: manifest.settings.file_name.clone(),
            model: manifest.plan.model.clone(),
            model_choice: manifest.plan.choice.clone(),
            uploaded_bytes: session.durable_bytes(),
            upload_complete: manifest.upload_complete(),
            finished_frames: progress.finished.0,
            total_frames: progress.total.map(|total| total.0),
            decoded_frames: progress.decoded.0,
            sample_rate: manifest.source.as_ref().map(|source| source.output_rate.0),
            source: manifest.source.as_ref().map(|record| SourceView::of(&manifest, record)),
            queue_position: progress.queue_position,
            stems: manifest.stems.iter().map(stem).collect(),
            zip_url: prefixed(&format!("/download/{id}.zip")),
            engine: manifest.engine.as_ref().map(engine),
            windows: WindowsView::of(&manifest.engine_span()),
            engine_changes: changes(&manifest),
            error: manifest.failure.as_ref().map(Problem::of_failure),
            delay: manifest.delay().map(Problem::of_failure),
            notices: manifest.notices.clone(),
            created_ms: manifest.created.0,
            updated_ms: manifest.updated.0,
        }
    }
}

fn engine(engine: &manifest::EngineRecord) -> EngineView {
    EngineView {
        model: engine.model.clone(),
        weights_sha256: engine.weights.clone(),
        verified: engine.verified,
        execution_provider: engine.provider.clone(),
        runtime: engine.runtime.clone(),
        precision: engine.precision.clone(),
        members: engine.members.iter().map(member).collect(),
    }
}

fn member(member: &manifest::MemberRecord) -> MemberView {
    MemberView {
        model: member.model.clone(),
        weights_sha256: member.weights.clone(),
        verified: member.verified,
        execution_provider: member.provider.clone(),
        precision: member.precision.clone(),
    }
}

fn changes(manifest: &Manifest) -> Vec<EngineChangeView> {
    let change = |change: &manifest::EngineChange| EngineChangeView {
        from: change.from.model.clone(),
        to: change.to.model.clone(),
        frame: change.frame.0,
        reason: change.reason.as_str(),
        message: change.message.clone(),
    };
    manifest.engine_changes.iter().map(change).collect()
}
