//! Sessions as wire types.

use prost_types::Timestamp;

use super::config::config;
use super::engine::{engine, engine_change};
use super::hash;
use super::source::source;
use crate::proto;
use crate::session::{self, Manifest, Session, SessionState, manifest};

/// A session.
pub(in crate::server) fn session(session: &Session) -> proto::Session {
    session_by(session, &session.durable_manifest())
}

/// A session, from a manifest that was read before.
pub(in crate::server) fn session_by(session: &Session, manifest: &Manifest) -> proto::Session {
    let stem = |stem: &manifest::Stem| proto::Stem {
        name: stem.name.to_string(),
        frames: manifest.commit.stems.0,
        peak: stem.peak,
        sha256: stem.sha256.as_deref().map(hash).unwrap_or_default(),
    };
    proto::Session {
        session_id: session.id().to_string(),
        state: state(manifest.state()).into(),
        config: Some(config(manifest)),
        engine: manifest.engine.as_ref().map(engine),
        engine_changes: manifest.engine_changes.iter().map(engine_change).collect(),
        committed_bytes: session.durable_bytes(),
        upload_complete: manifest.upload_complete(),
        source: manifest.source.as_ref().map(|record| source(manifest, record)),
        progress: Some(progress(session.progress_by(manifest))),
        stems: manifest.stems.iter().map(stem).collect(),
        error: manifest.failure.as_ref().map(failure),
        notices: manifest.notices.clone(),
        create_time: Some(timestamp(manifest.created)),
        update_time: Some(timestamp(manifest.updated)),
        delay: manifest.delay().map(failure),
        windows: Some(windows(&manifest.engine_span())),
        model_choice: manifest.plan.choice.clone().unwrap_or_default(),
    }
}

fn windows(span: &manifest::EngineSpan) -> proto::Windows {
    proto::Windows {
        shape: span.shape().to_owned(),
        overlap: span.overlap,
        segment_frames: span.segment.0,
    }
}

/// Progress of a session.
pub(in crate::server) fn progress(progress: session::Progress) -> proto::Progress {
    proto::Progress {
        finished_frames: progress.finished.0,
        total_frames: progress.total.unwrap_or_default().0,
        decoded_frames: progress.decoded.0,
        state: state(progress.state).into(),
        queue_position: progress.queue_position,
    }
}

fn failure(failure: &session::Failure) -> proto::SessionError {
    proto::SessionError {
        code: failure.reason.code(),
        reason: failure.reason.as_str().to_owned(),
        message: failure.message.clone(),
        metadata: failure.details.clone().into_iter().collect(),
        remedy: failure.remedy().to_owned(),
    }
}

fn state(state: SessionState) -> proto::SessionState {
    match state {
        SessionState::Uploading => proto::SessionState::Uploading,
        SessionState::Running => proto::SessionState::Running,
        SessionState::Paused => proto::SessionState::Paused,
        SessionState::Done => proto::SessionState::Done,
        SessionState::Failed => proto::SessionState::Failed,
        SessionState::Cancelled => proto::SessionState::Cancelled,
    }
}

fn timestamp(time: manifest::Timestamp) -> Timestamp {
    let nanos = (time.0 % 1000 * 1_000_000) as i32;
    Timestamp { seconds: i64::try_from(time.0 / 1000).unwrap_or(i64::MAX), nanos }
}
