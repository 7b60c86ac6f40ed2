//! The engines that compute a session, as recorded in its manifest.

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Plan};
use crate::audio::Frames;
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
    /// First frame of its first segment, at the model's rate.
    pub origin: Frames,
    /// Number of segments in all spans before it.
    pub first: u64,
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
}

impl EngineRecord {
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
        }
    }
}

impl EngineSpan {
    /// The first span of a session.
    pub fn of_plan(plan: &Plan) -> EngineSpan {
        EngineSpan {
            model: plan.model.clone(),
            segment: plan.segment,
            overlap: plan.overlap,
            columns: plan.columns,
            origin: Frames::ZERO,
            first: 0,
        }
    }
}

impl Manifest {
    /// The current span.
    pub fn engine_span(&self) -> EngineSpan {
        self.engine_spans.last().cloned().unwrap_or_else(|| EngineSpan::of_plan(&self.plan))
    }

    /// The span of the last commit: the previous one if the current one has committed nothing yet.
    pub fn committed_span(&self) -> EngineSpan {
        let begun = |span: &&EngineSpan| span.first < self.commit.segments;
        let found = self.engine_spans.iter().rev().find(begun).cloned();
        found.unwrap_or_else(|| EngineSpan::of_plan(&self.plan))
    }

    /// Begins the span of another engine at `origin`, the first frame that is not final.
    pub fn begin_span(&mut self, successor: Successor, origin: Frames) {
        let Successor { engine, segment, overlap, columns } = successor;
        let (model, first) = (engine.model.clone(), self.commit.segments);
        // A span without a commit is only visible in the list of engine changes.
        self.engine_spans.retain(|span| span.first < first);
        self.engine_spans.push(EngineSpan { model, segment, overlap, columns, origin, first });
        self.engine = Some(engine);
        self.recoveries = 0;
        self.deaths = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Hertz;
    use crate::session::{SessionId, Settings};

    #[test]
    fn a_span_that_has_committed_nothing_is_replaced() {
        let (model_rate, segment) = (Hertz(44_100), Frames(8));
        let plan = Plan {
            model: "a".into(),
            model_rate,
            segment,
            stems: vec![],
            overlap: 0.25,
            columns: None,
        };
        let successor = |model: &str| Successor {
            engine: EngineRecord::unknown(model),
            segment: Frames(4),
            overlap: 0.5,
            columns: None,
        };
        let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
        let model = |span: EngineSpan| span.model;
        assert_eq!(
            (model(manifest.engine_span()), model(manifest.committed_span())),
            ("a".into(), "a".into())
        );
        manifest.commit.segments = 3;
        manifest.begin_span(successor("b"), Frames(18));
        manifest.begin_span(successor("c"), Frames(18));
        assert_eq!(
            (model(manifest.engine_span()), model(manifest.committed_span())),
            ("c".into(), "a".into())
        );
        assert_eq!(manifest.engine_spans.len(), 1);
        manifest.commit.segments = 4;
        assert_eq!(model(manifest.committed_span()), "c");
    }
}
