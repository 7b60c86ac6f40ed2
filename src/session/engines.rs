//! Which engine computes which part of a session, as its manifest keeps it.

use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Plan};
use crate::audio::Frames;

/// An engine by all that its numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
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
    pub from: Engine,
    /// The engine after.
    pub to: Engine,
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

/// The part of a track that one engine computes; fixed when its turn comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
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
    /// The segments of the turns before, all together.
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

/// What an engine brings with it to its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// The engine.
    pub engine: Engine,
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

impl Engine {
    /// An engine of which nothing is known but its model's name.
    pub fn unknown(model: &str) -> Engine {
        Engine {
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

impl Turn {
    /// The first turn of a session.
    pub fn of_plan(plan: &Plan) -> Turn {
        Turn {
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
    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        self.turns.last().cloned().unwrap_or_else(|| Turn::of_plan(&self.plan))
    }

    /// Who has computed what is committed: the turn before, where the present one has committed nothing.
    pub fn committed_turn(&self) -> Turn {
        let begun = |turn: &&Turn| turn.first < self.commit.segments;
        let found = self.turns.iter().rev().find(begun).cloned();
        found.unwrap_or_else(|| Turn::of_plan(&self.plan))
    }

    /// Gives the turn to another engine, from the first frame that is not final: `origin`.
    pub fn begin_turn(&mut self, successor: Successor, origin: Frames) {
        let Successor { engine, segment, overlap, columns } = successor;
        let (model, first) = (engine.model.clone(), self.commit.segments);
        // One that has committed nothing leaves no trace but the change.
        self.turns.retain(|turn| turn.first < first);
        self.turns.push(Turn { model, segment, overlap, columns, origin, first });
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
    fn a_turn_that_has_committed_nothing_is_replaced() {
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
            engine: Engine::unknown(model),
            segment: Frames(4),
            overlap: 0.5,
            columns: None,
        };
        let mut manifest = Manifest::new(SessionId::random(), Settings::default(), plan);
        let model = |turn: Turn| turn.model;
        assert_eq!(
            (model(manifest.turn()), model(manifest.committed_turn())),
            ("a".into(), "a".into())
        );
        manifest.commit.segments = 3;
        manifest.begin_turn(successor("b"), Frames(18));
        manifest.begin_turn(successor("c"), Frames(18));
        assert_eq!(
            (model(manifest.turn()), model(manifest.committed_turn())),
            ("c".into(), "a".into())
        );
        assert_eq!(manifest.turns.len(), 1);
        manifest.commit.segments = 4;
        assert_eq!(model(manifest.committed_turn()), "c");
    }
}
