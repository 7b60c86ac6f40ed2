//! The engines that compute a session, as recorded in its manifest.

use serde::{Deserialize, Serialize};

use crate::audio::Frames;
use crate::dsp::segments::WindowShape;
use crate::proto::reason::ChangeReason;

/// An engine, identified by everything that its output depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// Name of the model.
    pub model: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub weights: String,
    /// Whether the hash is that of the weights that the authors published.
    #[serde(default)]
    pub verified: bool,
    /// Execution provider, such as `cpu`.
    pub provider: String,
    /// Library and version, such as `onnxruntime 1.31.1`.
    pub runtime: String,
    /// Compute threads per worker thread.
    pub threads: u32,
    /// Precision, such as `f32`.
    pub precision: String,
    /// The models of an ensemble, whose hash is that of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberRecord>,
}

/// A model of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Name of the model.
    pub model: String,
    /// SHA-256 of the weights, in hexadecimal.
    pub weights: String,
    /// Whether the hash is that of the weights that the authors published.
    pub verified: bool,
    /// Execution provider.
    pub provider: String,
    /// Precision.
    pub precision: String,
}

/// A change from one engine to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineChange {
    /// The engine before.
    pub from: EngineRecord,
    /// The engine after.
    pub to: EngineRecord,
    /// First frame of the stems that the engine after contributes to.
    pub frame: Frames,
    /// The kind of cause.
    pub reason: ChangeReason,
    /// The cause, as text.
    pub message: String,
}

/// The part of a track that one engine computes; fixed when the engine begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSpan {
    /// The model.
    pub model: String,
    /// Segment length of the model, in frames.
    pub segment: Frames,
    /// Fraction of a segment that overlaps the next.
    pub overlap: f64,
    /// Columns that a segment consists of, for models whose segments are summed.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// The shape of its windows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub windows: WindowShape,
    /// First frame of its first segment, at the model's rate.
    pub origin: Frames,
    /// Number of segments in all spans before it.
    pub first: u64,
}

impl EngineSpan {
    /// The name of the shape of its windows, in answers.
    pub fn shape(&self) -> &'static str {
        if self.columns.is_some() { "columns" } else { self.windows.name() }
    }
}

/// The columns of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Frames per column.
    pub size: Frames,
    /// Frames from one column to the next.
    pub hop: Frames,
}

/// An engine that takes over, and how it cuts the track.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// The engine.
    pub engine: EngineRecord,
    /// Segment length of the model, in frames.
    pub segment: Frames,
    /// Fraction of a segment that overlaps the next.
    pub overlap: f64,
    /// Columns that a segment consists of, for models whose segments are summed.
    pub columns: Option<Columns>,
    /// The shape of its windows.
    pub windows: WindowShape,
}

/// The mean and the deviation by which the track is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackLevel {
    /// Of the mono mix.
    pub mean: f64,
    /// Of the mono mix.
    pub deviation: f64,
    /// Frames from the start of the track that they were computed from.
    pub frames: Frames,
}

/// Whether a value that records of earlier versions lack is the one that these stand for.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl EngineRecord {
    /// Whether only the model's name is known.
    pub fn is_unknown(&self) -> bool {
        self.provider.is_empty()
    }

    /// An engine of which only the model's name is known.
    pub fn unknown(model: &str) -> EngineRecord {
        EngineRecord {
            model: model.to_owned(),
            weights: String::new(),
            verified: false,
            provider: String::new(),
            runtime: String::new(),
            threads: 0,
            precision: String::new(),
            members: Vec::new(),
        }
    }
}
