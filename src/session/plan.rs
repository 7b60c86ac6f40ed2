//! How a session is computed, as its manifest records it.

use serde::{Deserialize, Serialize};

use super::engines::{Columns, EngineSpan, is_default};
use crate::audio::{Frames, Hertz, StemName};
use crate::dsp::segments::WindowShape;

/// What settings are resolved to when the session is created; fixed from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the model.
    pub model: String,
    /// Why this model was chosen, if the request asked for speed or quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Sample rate of the model.
    pub model_rate: Hertz,
    /// Segment length of the model, in frames.
    pub segment: Frames,
    /// The stems, in sending order.
    pub stems: Vec<StemName>,
    /// Fraction of a segment that overlaps the next.
    pub overlap: f64,
    /// Columns that a segment consists of, for models whose segments are summed.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// The shape of the windows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub windows: WindowShape,
    /// Whether silent passages of the upload are silent in the stems. Sessions of 0.1.0 were begun without.
    #[serde(default)]
    pub silent_passages: bool,
    /// Whether audio that begins later than the pictures beside it begins with silence, and all edits of a track are
    /// followed. Sessions of 0.1.0 were begun without.
    #[serde(default)]
    pub late_start: bool,
}

impl Plan {
    /// The first span of a session.
    pub fn engine_span(&self) -> EngineSpan {
        EngineSpan {
            model: self.model.clone(),
            segment: self.segment,
            overlap: self.overlap,
            columns: self.columns,
            windows: self.windows,
            origin: Frames::ZERO,
            first: 0,
        }
    }
}
