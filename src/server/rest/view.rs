//! Sessions as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::audio::StemName;
use crate::server::status::Problem;
use crate::session::manifest::{self, Manifest};
use crate::session::{Session, SessionId};

/// A session and where its stems are, or will be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// The session's name, a UUID.
    pub(super) session_id: String,
    /// The address of the vocals; absent where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/download/67e55044-10b1-426f-9247-bb680e5fe0c8/vocals")]
    pub(super) vocals_url: Option<String>,
    /// The address of everything else; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accompaniment_url: Option<String>,
    /// The addresses of all stems by name.
    pub(super) stems: BTreeMap<String, String>,
    /// The address that tells how far the session is; only with `?async=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_url: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    /// The session's name, a UUID.
    session_id: String,
    /// UPLOADING, RUNNING, PAUSED, DONE, FAILED or CANCELLED.
    #[schema(example = "DONE")]
    state: &'static str,
    /// The upload's name.
    file_name: String,
    /// The model.
    model: String,
    /// Bytes of the upload that are held.
    uploaded_bytes: u64,
    /// Whether these are all.
    upload_complete: bool,
    /// Frames of every stem that are finished.
    finished_frames: u64,
    /// Frames that they will have, once known.
    total_frames: Option<u64>,
    /// Frames of the upload that are decoded, at the stems' rate.
    decoded_frames: u64,
    /// Frames a second of the stems, once known.
    sample_rate: Option<u32>,
    /// Sessions before it in the queue.
    queue_position: u32,
    /// The stems in order.
    stems: Vec<StemView>,
    /// The address of all stems as one file.
    zip_url: String,
    /// What computes, or computed last.
    engine: Option<EngineView>,
    /// Where another engine took over.
    engine_changes: Vec<EngineChangeView>,
    /// Why it failed.
    error: Option<Problem>,
    /// What the user should know of.
    notices: Vec<String>,
    /// When it was opened, in milliseconds since 1970.
    created_ms: u64,
    /// When it last changed, in milliseconds since 1970.
    updated_ms: u64,
}

/// A stem.
#[derive(Debug, Serialize, ToSchema)]
struct StemView {
    /// Its name.
    name: String,
    /// Its address.
    url: String,
    /// The address of its peaks.
    peaks_url: String,
    /// Its largest absolute sample so far; above 1, integer formats clip unless `fit` is asked for.
    peak: f32,
    /// SHA-256 of its float32 samples, once it is final.
    sha256: Option<String>,
}

/// An engine.
#[derive(Debug, Serialize, ToSchema)]
struct EngineView {
    /// The model's name.
    model: String,
    /// SHA-256 of its weights.
    weights_sha256: String,
    /// Whether they are known to be their makers' own.
    verified: bool,
    /// Such as `cpu`.
    execution_provider: String,
    /// Such as `onnxruntime 1.31.1`.
    runtime: String,
    /// Such as `f32`.
    precision: String,
}

/// Another engine took over.
#[derive(Debug, Serialize, ToSchema)]
struct EngineChangeView {
    /// The model before.
    from: String,
    /// The model after.
    to: String,
    /// The first frame that it has a part in.
    frame: u64,
    /// Why, for programs.
    reason: &'static str,
    /// Why, for people.
    message: String,
}

/// A page of the list of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// The sessions, newest first.
    pub(super) sessions: Vec<SessionView>,
    /// What to ask for to get the next page; absent on the last.
    pub(super) next_page_token: Option<String>,
}

/// The address of a stem.
pub(super) fn stem_url(id: SessionId, stem: &StemName) -> String {
    format!("/download/{id}/{stem}")
}

/// The address of a session.
pub(super) fn status_url(id: SessionId) -> String {
    format!("/api/sessions/{id}")
}

impl Links {
    /// The links of a session.
    pub(super) fn of(session: &Session) -> Links {
        let manifest = session.manifest();
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
    /// A session as it is now.
    pub(super) fn of(session: &Session) -> SessionView {
        let manifest = session.manifest();
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
            uploaded_bytes: session.uploaded(),
            upload_complete: manifest.upload_complete(),
            finished_frames: progress.finished.0,
            total_frames: progress.total.map(|total| total.0),
            decoded_frames: progress.decoded.0,
            sample_rate: manifest.source.as_ref().map(|source| source.output_rate.0),
            queue_position: progress.queue_position,
            stems: manifest.stems.iter().map(stem).collect(),
            zip_url: format!("/download/{id}.zip"),
            engine: manifest.engine.as_ref().map(engine),
            engine_changes: changes(&manifest),
            error: manifest.failure.as_ref().map(Problem::of_failure),
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
