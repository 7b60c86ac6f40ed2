//! The persistent state of a session: one JSON file that is replaced atomically.

mod records;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use super::engines::{
    Columns, EngineChange, EngineRecord, EngineSpan, MemberRecord, Successor, TrackLevel,
};
pub use super::plan::Plan;
pub use super::source::SourceRecord;
pub use records::{Announced, Commit, Stem, Timestamp, UploadRecord};

use super::checksums::Intact;
use super::engines::is_default;
use super::{Failure, SessionId, SessionState, Settings};
use crate::audio::{Frames, StemName, Stereo};
use crate::files;

/// The manifest, `session.json`.
///
/// It stays readable for every later version: keys keep their names or get an alias, and new ones a default. A change
/// that an earlier version would misread raises [`Manifest::VERSION`]; that version then refuses the session without
/// changing it. So later versions, too, must keep `session.json` with `format` in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the session's files: [`Manifest::VERSION`].
    #[serde(rename = "format")]
    pub version: u32,
    /// The session.
    pub id: SessionId,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// The address of the client that created it, whose share of the slots and the queue it takes; an IPv6 address stands
    /// for its network of 64 bits. Manifests of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The request.
    pub settings: Settings,
    /// The resolved request.
    pub plan: Plan,
    /// Its state; only the lifecycle changes it.
    pub(super) state: SessionState,
    /// The upload.
    pub upload: UploadRecord,
    /// What the client has announced of the upload.
    #[serde(default, skip_serializing_if = "Announced::is_empty")]
    pub announced: Announced,
    /// The decoded format, once known.
    pub source: Option<SourceRecord>,
    /// The level by which a model that needs the deviation is normalised in streaming, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<TrackLevel>,
    /// What has been computed and synced to disk.
    pub commit: Commit,
    /// Final length of each stem, once known.
    pub total: Option<Frames>,
    /// The stems, in the plan's order.
    pub stems: Vec<Stem>,
    /// The engine that computes, or computed last.
    pub engine: Option<EngineRecord>,
    /// Changes of the engine, in order.
    pub engine_changes: Vec<EngineChange>,
    /// The parts that engines have computed; empty while the engine has not changed.
    #[serde(default, rename = "turns")]
    pub engine_spans: Vec<EngineSpan>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Why the server paused it until it can continue, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay: Option<Failure>,
    /// Texts for the user.
    pub notices: Vec<String>,
    /// Not used; version 0.1.0 counted the starts of the server in it.
    pub recoveries: u32,
    /// Abnormal ends of the server while a segment of it was computed, since its last commit.
    #[serde(default)]
    pub deaths: u32,
    /// How often its stems have been recomputed because committed frames were damaged.
    #[serde(default)]
    pub recomputed: u32,
    /// Processes that were killed while they decoded it or computed a segment of it, since its last commit.
    #[serde(default)]
    pub kills: u32,
    /// Delays because an engine lacked memory, since its last commit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_waits: u32,
}

/// Error of reading a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A later version of this program has written it.
    #[error(
        "the manifest has version {version}; this server reads up to version {}",
        Manifest::VERSION
    )]
    Newer {
        /// Its version.
        version: u32,
    },
    /// It is not a manifest.
    #[error("the manifest is not readable: {0}")]
    Invalid(#[from] serde_json::Error),
    /// Its file cannot be read.
    #[error(transparent)]
    Storage(#[from] io::Error),
}

impl Manifest {
    /// The version that is written, and the latest that can be read.
    pub const VERSION: u32 = 1;

    /// A new session's manifest.
    pub fn new(id: SessionId, settings: Settings, plan: Plan) -> Manifest {
        let now = Timestamp::now();
        let stem = |name: &StemName| Stem { name: name.clone(), peak: 0.0, sha256: None };
        Manifest {
            version: Self::VERSION,
            id,
            created: now,
            updated: now,
            client: None,
            settings,
            stems: plan.stems.iter().map(stem).collect(),
            plan,
            state: SessionState::Uploading,
            upload: UploadRecord::default(),
            announced: Announced::default(),
            source: None,
            level: None,
            commit: Commit::default(),
            total: None,
            engine: None,
            engine_changes: Vec::new(),
            engine_spans: Vec::new(),
            failure: None,
            delay: None,
            notices: Vec::new(),
            recoveries: 0,
            deaths: 0,
            recomputed: 0,
            kills: 0,
            memory_waits: 0,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// Those of [`Manifest::parse`]; I/O errors of the file.
    pub fn read(path: &Path) -> Result<Manifest, ManifestError> {
        Self::parse(&fs::read(path)?)
    }

    /// A manifest from the bytes of its file.
    ///
    /// # Errors
    /// [`ManifestError::Newer`] whatever else is in the file; [`ManifestError::Invalid`].
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let Versioned { format: version } = serde_json::from_slice(bytes)?;
        if version > Self::VERSION {
            return Err(ManifestError::Newer { version });
        }
        // It is written back in this version.
        Ok(Manifest { version: Self::VERSION, ..serde_json::from_slice(bytes)? })
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(io::Error::other)
    }

    /// Atomically replaces the manifest at `path`.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &self.to_bytes()?)
    }

    /// The session's state.
    pub fn state(&self) -> SessionState {
        self.state
    }

    /// Why the server paused it until it can continue; `None` if it did not.
    pub fn delay(&self) -> Option<&Failure> {
        self.delay.as_ref()
    }

    /// Clears the counts of abnormal ends and of waits: the session has made progress, or another engine begins.
    pub fn clear_crashes(&mut self) {
        (self.recoveries, self.deaths, self.kills, self.memory_waits) = (0, 0, 0, 0);
    }

    /// Whether the upload has been finished.
    pub fn upload_complete(&self) -> bool {
        self.upload.total.is_some()
    }

    /// Channels of the upload, which are known before the first frame of a stem is.
    pub fn source_channels(&self) -> u32 {
        self.source.as_ref().map_or(Stereo::CHANNELS as u32, |source| source.channels)
    }

    /// Length of the upload at its own rate, once it is decoded.
    pub fn source_frames(&self) -> Option<Frames> {
        let is_final = self.total.is_some() || self.state.is_ended();
        self.source.as_ref()?.frames.filter(|_| is_final)
    }

    /// The span of the next segment.
    pub fn engine_span(&self) -> EngineSpan {
        let begun = |span: &&EngineSpan| span.first <= self.commit.segments;
        let found = self.engine_spans.iter().rev().find(begun).cloned();
        found.unwrap_or_else(|| self.plan.engine_span())
    }

    /// The first segment of the span behind that of the next segment, where the spans are known because segments of an earlier
    /// engine are computed again.
    pub fn repeated_until(&self) -> Option<u64> {
        let firsts = self.engine_spans.iter().map(|span| span.first);
        firsts.filter(|&first| first > self.commit.segments).min()
    }

    /// The span of the last commit: the previous one if the current one has committed nothing yet.
    pub fn committed_span(&self) -> EngineSpan {
        let begun = |span: &&EngineSpan| span.first < self.commit.segments;
        let found = self.engine_spans.iter().rev().find(begun).cloned();
        found.unwrap_or_else(|| self.plan.engine_span())
    }

    /// Takes back all commits, so that the stems are recomputed from the upload. The decoded track stays committed.
    pub fn take_back(&mut self) {
        let Commit { track, track_crc32c, silence, .. } = self.commit;
        self.commit = Commit { track, track_crc32c, silence, ..Commit::default() };
        for stem in &mut self.stems {
            (stem.peak, stem.sha256) = (0.0, None);
        }
        self.recomputed += 1;
    }

    /// Takes back the commits behind the `intact` frames. The session continues with segment `segments`, which contributes to
    /// frames in front of them: those stay as they are.
    pub fn rewind(&mut self, segments: u64, intact: Intact) {
        let commit = &mut self.commit;
        (commit.segments, commit.stems) = (segments, intact.frames);
        commit.checksums = Some(intact.checksums);
        (commit.overlap_state, commit.overlap_lost) = (true, true);
        commit.overlap_crc32c = None;
        for stem in &mut self.stems {
            stem.sha256 = None;
        }
        self.recomputed += 1;
    }

    /// Begins the span of another engine at `origin`, the first frame that is not final.
    pub fn begin_span(&mut self, successor: Successor, origin: Frames) {
        let Successor { engine, segment, overlap, columns, windows } = successor;
        let (model, first) = (engine.model.clone(), self.commit.segments);
        // A span without a commit is only visible in the list of engine changes.
        self.engine_spans.retain(|span| span.first < first);
        self.engine_spans.push(EngineSpan {
            model,
            segment,
            overlap,
            columns,
            windows,
            origin,
            first,
        });
        self.engine = Some(engine);
        self.clear_crashes();
    }
}

#[cfg(test)]
mod tests;
