//! Which engine computes which part of a session, as its manifest keeps it.

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Plan};
use crate::audio::Frames;

/// An engine by all that its numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights in hexadecimal digits.
    pub weights: String,
    /// Whether they are known to be their makers' own.
    #[serde(default)]
    pub verified: bool,
    /// Such as `cpu`.
    pub provider: String,
    /// Such as `onnxruntime 1.31.1`.
    pub runtime: String,
    /// Compute threads of one worker.
    pub threads: u32,
    /// Such as `f32`.
    pub precision: String,
}

/// Another engine took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineChange {
    /// The engine before.
    pub from: EngineRecord,
    /// The engine after.
    pub to: EngineRecord,
    /// The first frame that it has a part in.
    pub frame: Frames,
    /// Why.
    pub reason: ChangeReason,
    /// Why, in words.
    pub message: String,
}

/// Why another engine took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeReason {
    /// The model failed on a segment, and again.
    EngineFailed,
    /// It answered NaN or infinity, and again.
    EngineNotFinite,
    /// It took too long, and again.
    EngineTimeout,
    /// Its code panicked, and again.
    EnginePanicked,
    /// The process died with a segment, and again.
    EngineCrashed,
    /// The model cannot be loaded.
    ModelUnavailable,
    /// It has failed so often in other sessions that it is not used now.
    BreakerOpen,
    /// The server was started again with another library or number of threads.
    ServerRestarted,
    /// The model's weights were replaced.
    ModelReplaced,
}

/// The part of a track that one engine computes; fixed when its span comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSpan {
    /// The model.
    pub model: String,
    /// Frames that it sees at once.
    pub segment: Frames,
    /// How much of a segment overlaps the next.
    pub overlap: f64,
    /// The columns that segments are made of, where they are summed.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// The frame of the track, at the model's rate, with which its first segment begins.
    pub origin: Frames,
    /// The segments of the engine_spans before, all together.
    pub first: u64,
}

/// The columns of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The frames under one.
    pub size: Frames,
    /// From one to the next.
    pub hop: Frames,
}

/// What an engine brings with it to its span.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// The engine.
    pub engine: EngineRecord,
    /// Frames that its model sees at once.
    pub segment: Frames,
    /// How much of a segment overlaps the next.
    pub overlap: f64,
    /// The columns that segments are made of, where they are summed.
    pub columns: Option<Columns>,
}

impl ChangeReason {
    /// The name on the wire, in `UPPER_SNAKE`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeReason::EngineFailed => "ENGINE_FAILED",
            ChangeReason::EngineNotFinite => "ENGINE_NOT_FINITE",
            ChangeReason::EngineTimeout => "ENGINE_TIMEOUT",
            ChangeReason::EnginePanicked => "ENGINE_PANICKED",
            ChangeReason::EngineCrashed => "ENGINE_CRASHED",
            ChangeReason::ModelUnavailable => "MODEL_UNAVAILABLE",
            ChangeReason::BreakerOpen => "BREAKER_OPEN",
            ChangeReason::ServerRestarted => "SERVER_RESTARTED",
            ChangeReason::ModelReplaced => "MODEL_REPLACED",
        }
    }
}

impl EngineRecord {
    /// An engine of which nothing is known but its model's name.
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
    /// Whose span it is.
    pub fn engine_span(&self) -> EngineSpan {
        self.engine_spans.last().cloned().unwrap_or_else(|| EngineSpan::of_plan(&self.plan))
    }

    /// Who has computed what is committed: the span before, where the present one has committed nothing.
    pub fn committed_span(&self) -> EngineSpan {
        let begun = |span: &&EngineSpan| span.first < self.commit.segments;
        let found = self.engine_spans.iter().rev().find(begun).cloned();
        found.unwrap_or_else(|| EngineSpan::of_plan(&self.plan))
    }

    /// Gives the span to another engine, from the first frame that is not final: `origin`.
    pub fn begin_span(&mut self, successor: Successor, origin: Frames) {
        let Successor { engine, segment, overlap, columns } = successor;
        let (model, first) = (engine.model.clone(), self.commit.segments);
        // One that has committed nothing leaves no trace but the change.
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
