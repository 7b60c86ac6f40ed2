//! Names of tasks, and the subjects under which they are queued.

use std::fmt;

use crate::engine::EngineIdentity;
use crate::engine::pool::OwnerId;
use crate::model::Sha256Hash;
use crate::proto::tasks as wire;

/// Changes with everything in this program that changes a bit of a stem, so that no two versions compute one session.
const NUMERICS: u32 = 1;

/// Names a task: the first answer to it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The session.
    pub session: OwnerId,
    /// Grows with each submission by the owner, so that a late answer to an earlier one is none to this.
    pub epoch: u64,
    /// The segment's number in its session.
    pub segment: u64,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{:x}-{}", self.session, self.epoch, self.segment)
    }
}

impl From<TaskKey> for wire::TaskKey {
    fn from(key: TaskKey) -> wire::TaskKey {
        let [high, low] = [(key.session >> 64) as u64, key.session as u64];
        wire::TaskKey {
            session_high: high,
            session_low: low,
            epoch: key.epoch,
            segment: key.segment,
        }
    }
}

impl From<wire::TaskKey> for TaskKey {
    fn from(key: wire::TaskKey) -> TaskKey {
        let session = u128::from(key.session_high) << 64 | u128::from(key.session_low);
        TaskKey { session, epoch: key.epoch, segment: key.segment }
    }
}

/// What the bytes of a task's stems depend on besides its input. Any worker with the same one may compute it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskExecution(String);

impl TaskExecution {
    /// Characters of each hash. They name, they need not withstand an attack: a worker compares the weights.
    const DIGITS: usize = 16;

    /// That of an engine.
    pub fn of(engine: &EngineIdentity) -> TaskExecution {
        let EngineIdentity { weights, provider, precision, runtime, threads, .. } = engine;
        let execution = format!("{NUMERICS} {provider} {precision} {runtime} {threads}");
        let execution = Sha256Hash::of(execution.as_bytes()).to_string();
        let weights = weights.to_string();
        TaskExecution(format!("{}.{}", &weights[..Self::DIGITS], &execution[..Self::DIGITS]))
    }

    /// Two words of a subject: the hash of the weights, and that of how they are executed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskExecution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Precision, Provider};
    use crate::model::AvailableModels;

    #[test]
    fn a_key_comes_as_it_was_sent() {
        let key = TaskKey { session: u128::MAX / 3, epoch: 7, segment: 9 };
        assert_eq!(TaskKey::from(wire::TaskKey::from(key)), key);
    }

    #[test]
    fn all_that_changes_the_bytes_changes_the_execution() {
        let model = AvailableModels::open(None).find("mini").unwrap();
        let engine = EngineIdentity {
            model: model.card().name.clone(),
            weights: Sha256Hash::of(b"weights"),
            verified: true,
            provider: Provider::Cpu,
            runtime: "onnxruntime 1.31.1".into(),
            threads: 2,
            precision: Precision::F32,
        };
        let of = |change: fn(&mut EngineIdentity)| {
            let mut engine = engine.clone();
            change(&mut engine);
            TaskExecution::of(&engine)
        };
        let same = of(|engine| engine.verified = false);
        assert_eq!(same, TaskExecution::of(&engine));
        for change in [
            (|engine| engine.weights = Sha256Hash::of(b"others")) as fn(&mut EngineIdentity),
            |engine| engine.provider = Provider::Openvino,
            |engine| engine.runtime = "onnxruntime 1.30.0".into(),
            |engine| engine.threads = 4,
            |engine| engine.precision = Precision::Bf16,
        ] {
            assert_ne!(of(change), same);
        }
    }
}
