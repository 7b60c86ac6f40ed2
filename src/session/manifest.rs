//! What is known of a session, as a file that is replaced atomically.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use super::engines::{
    ChangeReason, Columns, EngineChange, EngineRecord, EngineSpan, Successor,
};

use super::{Failure, SessionId, Settings};
use crate::audio::{Frames, Hertz, StemName};
use crate::files;

/// The manifest, `session.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`Manifest::FORMAT`]; a server that finds another one leaves the session alone.
    pub format: u32,
    /// The session.
    pub id: SessionId,
    /// When it was opened.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// What was asked for.
    pub settings: Settings,
    /// What that was resolved to.
    pub plan: Plan,
    /// Where it stands.
    pub state: SessionState,
    /// The upload.
    pub upload: Upload,
    /// What the upload turned out to be.
    pub source: Option<SourceRecord>,
    /// What has been computed and is safely on disk.
    pub commit: Commit,
    /// Frames that each stem will have, once that is known.
    pub total: Option<Frames>,
    /// The stems, in the plan's order.
    pub stems: Vec<Stem>,
    /// What computes, or computed last.
    pub engine: Option<EngineRecord>,
    /// Changes of the engine, in order.
    pub engine_changes: Vec<EngineChange>,
    /// Who has computed which part since another engine took over; empty where none did.
    #[serde(default, rename = "turns")]
    pub engine_spans: Vec<EngineSpan>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the user should know of.
    pub notices: Vec<String>,
    /// How often a server found it unfinished since it last got on.
    pub recoveries: u32,
    /// How often the process died while an engine had a segment of it, since it last got on.
    #[serde(default)]
    pub deaths: u32,
}

/// A moment, in milliseconds since 1970.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionState {
    /// The upload is not complete; what there is, is separated.
    Uploading,
    /// The upload is complete and is separated.
    Running,
    /// Nothing is computed; it can be resumed.
    Paused,
    /// All stems are complete.
    Done,
    /// It ended with a failure.
    Failed,
    /// A client ended it.
    Cancelled,
}

/// What a request was resolved to; fixed when the session is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The model.
    pub model: String,
    /// Its rate.
    pub model_rate: Hertz,
    /// Frames that it sees at once.
    pub segment: Frames,
    /// The stems, in the order in which they are sent.
    pub stems: Vec<StemName>,
    /// How much of a segment overlaps the next.
    pub overlap: f64,
    /// The columns that segments are made of, where they are summed.
    #[serde(default)]
    pub columns: Option<Columns>,
}

/// The upload. Its length is that of the file.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Its length, once it has been finished.
    pub total: Option<u64>,
    /// Its SHA-256 in hexadecimal digits, where the client gave it and it was right.
    pub sha256: Option<String>,
}

/// What the upload turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Such as `mp3`.
    pub container: String,
    /// Such as `aac`.
    pub codec: String,
    /// Its rate.
    pub rate: Hertz,
    /// Its channels.
    pub channels: u32,
    /// Its length at its rate, once decoded.
    pub frames: Option<Frames>,
    /// Frames replaced by silence.
    pub damaged: Frames,
    /// The rate of the stems.
    pub output_rate: Hertz,
}

/// What has been computed and is safely on disk.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Segments whose part is done.
    pub segments: u64,
    /// Frames of the track that are safely on disk.
    pub track: Frames,
    /// Frames of each stem that are.
    pub stems: Frames,
    /// Whether there is an overlap state, `carry.<segments>`.
    #[serde(rename = "carry")]
    pub overlap_state: bool,
}

/// One stem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stem {
    /// Its name.
    pub name: StemName,
    /// Its largest absolute sample so far.
    pub peak: f32,
    /// SHA-256 of its samples in hexadecimal digits, once it is final.
    pub sha256: Option<String>,
}

impl Manifest {
    /// The version of the format.
    pub const FORMAT: u32 = 1;

    /// A new session's manifest.
    pub fn new(id: SessionId, settings: Settings, plan: Plan) -> Manifest {
        let now = Timestamp::now();
        let stem = |name: &StemName| Stem { name: name.clone(), peak: 0.0, sha256: None };
        Manifest {
            format: Self::FORMAT,
            id,
            created: now,
            updated: now,
            settings,
            stems: plan.stems.iter().map(stem).collect(),
            plan,
            state: SessionState::Uploading,
            upload: Upload::default(),
            source: None,
            commit: Commit::default(),
            total: None,
            engine: None,
            engine_changes: Vec::new(),
            engine_spans: Vec::new(),
            failure: None,
            notices: Vec::new(),
            recoveries: 0,
            deaths: 0,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// `InvalidData` where it is none, or of another format.
    pub fn read(path: &Path) -> io::Result<Manifest> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let bytes = fs::read(path)?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if manifest.format != Self::FORMAT {
            return Err(invalid(format!("format {} is not understood", manifest.format)));
        }
        Ok(manifest)
    }

    /// Replaces the manifest at `path`: after a crash at any moment there is the old one or this one.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        files::replace(path, &bytes)
    }

    /// Whether the upload has been finished.
    pub fn upload_complete(&self) -> bool {
        self.upload.total.is_some()
    }
}

impl SessionState {
    /// Whether nothing more will happen.
    pub fn is_ended(self) -> bool {
        match self {
            SessionState::Done | SessionState::Failed | SessionState::Cancelled => true,
            SessionState::Uploading | SessionState::Running | SessionState::Paused => false,
        }
    }

    /// The name on the wire, in `UPPER_SNAKE`.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionState::Uploading => "UPLOADING",
            SessionState::Running => "RUNNING",
            SessionState::Paused => "PAUSED",
            SessionState::Done => "DONE",
            SessionState::Failed => "FAILED",
            SessionState::Cancelled => "CANCELLED",
        }
    }
}

impl Timestamp {
    /// This moment.
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let stems = vec!["vocals".parse().unwrap()];
        let (model_rate, segment) = (Hertz(44_100), Frames(176_400));
        let (model, columns) = ("mini".into(), None);
        let plan = Plan { model, model_rate, segment, stems, overlap: 0.25, columns };
        Manifest::new(SessionId::random(), Settings::default(), plan)
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        let mut written = manifest();
        written.write(&path).unwrap();
        written.state = SessionState::Failed;
        written.failure =
            Some(Failure::new(super::super::Reason::DiskFull, "full").with("free", 0));
        written.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        for text in ["", "{}", "[1]", "{\"format\": 1}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(Manifest::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let mut other = manifest();
        other.format = 2;
        other.write(&path).unwrap();
        assert!(Manifest::read(&path).unwrap_err().to_string().contains("format 2"));
    }
}
