//! Errors of engines.

use std::time::Duration;

use crate::audio::Stereo;
use crate::model::ModelError;
use crate::proto::reason::ErrorReason;

/// Error of separating a segment.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No model of the chain yields the wanted stems.
    #[error(
        "no model of the chain yields {wanted}: {available}, and no_STEM for everything but a stem"
    )]
    NoModelForStems {
        /// The wanted stems.
        wanted: String,
        /// The stems of each model.
        available: String,
    },
    /// The runtime refuses the model.
    #[error("model {model} cannot be loaded: {reason}")]
    Load {
        /// The model.
        model: String,
        /// The error of the runtime.
        reason: String,
    },
    /// The model failed on a segment.
    #[error("model {model} failed on a segment: {reason}")]
    Run {
        /// The model.
        model: String,
        /// The error of the runtime.
        reason: String,
    },
    /// The model returned NaN or infinity.
    #[error("model {model} returned numbers that are not finite")]
    NotFinite {
        /// The model.
        model: String,
    },
    /// The engine's code panicked. The engine is loaded again for the next segment.
    #[error("model {model} panicked: {reason}")]
    Panicked {
        /// The model.
        model: String,
        /// The panic's message.
        reason: String,
    },
    /// The engine exceeded its time limit.
    #[error("model {model} did not answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The model.
        model: String,
        /// The limit.
        limit: Duration,
    },
    /// The engine crashed its own process, in which nothing else ran.
    #[error("model {model} crashed its process with {signal}")]
    Crashed {
        /// The model.
        model: String,
        /// The signal, such as `SIGSEGV`.
        signal: &'static str,
    },
    /// The engine's own process was killed from outside.
    #[error("the process that computed a segment with model {model} was killed")]
    Killed {
        /// The model.
        model: String,
    },
    /// There is not enough memory to load the model or to compute the segment, by what the runtime or the system reports.
    #[error("model {model} cannot compute a segment for lack of memory: {reason}")]
    OutOfMemory {
        /// The model.
        model: String,
        /// The message of the runtime or the system.
        reason: String,
    },
    /// The system lacks a resource that is needed to compute the segment.
    #[error("model {model} cannot compute a segment now: {reason}")]
    SystemLimit {
        /// The model.
        model: String,
        /// The error of the system.
        reason: String,
    },
    /// No engine of the chain works.
    #[error("no engine works: {faults}")]
    NoneWorks {
        /// The error of each.
        faults: String,
        /// Whether one of them failed on segments only: it is probed, and may return to service.
        may_recover: bool,
    },
    /// The task was cancelled before it ran.
    #[error("the segment was cancelled")]
    Cancelled,
    /// The pool is shutting down.
    #[error("the workers are shutting down")]
    ShuttingDown,
}

/// What messages contain when memory could not be allocated: of ONNX Runtime's arena, of the C++ libraries of GCC, Clang and
/// MSVC, of CUDA and of Rust, and of Unix (ENOMEM). ONNX Runtime has no error code for this.
const OUT_OF_MEMORY: [&str; 6] = [
    "Failed to allocate memory",
    "std::bad_alloc",
    "bad allocation",
    "out of memory",
    "memory allocation failed",
    "Cannot allocate memory",
];

impl EngineError {
    /// The error of a run that the runtime reports in words.
    pub fn of_run(model: &str, reason: String) -> EngineError {
        let model = model.to_owned();
        match reports_lack_of_memory(&reason) {
            true => EngineError::OutOfMemory { model, reason },
            false => EngineError::Run { model, reason },
        }
    }

    /// The error of loading a model that the runtime or the system reports in words.
    pub fn of_load(model: &str, reason: String) -> EngineError {
        let model = model.to_owned();
        match reports_lack_of_memory(&reason) {
            true => EngineError::OutOfMemory { model, reason },
            false => EngineError::Load { model, reason },
        }
    }

    /// The error of a file of a model that does not fit, unless it is memory that was lacking to read it.
    pub fn of_unfit(model: &str, reason: String) -> EngineError {
        let model = model.to_owned();
        match reports_lack_of_memory(&reason) {
            true => EngineError::OutOfMemory { model, reason },
            false => ModelError::Unfit { model, reason }.into(),
        }
    }

    /// Whether the model itself is unusable, so that every segment will fail.
    pub fn is_model_unusable(&self) -> bool {
        match self {
            EngineError::Model(ModelError::File { is_shortage: true, .. }) => false,
            EngineError::Model(_)
            | EngineError::NoModelForStems { .. }
            | EngineError::Load { .. }
            | EngineError::NoneWorks { .. } => true,
            EngineError::Run { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Panicked { .. }
            | EngineError::TimedOut { .. }
            | EngineError::Crashed { .. }
            | EngineError::Killed { .. }
            | EngineError::OutOfMemory { .. }
            | EngineError::SystemLimit { .. }
            | EngineError::Cancelled
            | EngineError::ShuttingDown => false,
        }
    }

    /// Whether `input` is so loud that the numbers of any engine overflow.
    pub fn is_of_input(&self, input: &Stereo) -> bool {
        /// 100 dB above full scale.
        const LOUDEST: f32 = 1e5;
        let is_sane = |sample: &f32| sample.abs() <= LOUDEST;
        let is_extreme = || !input.planes().into_iter().flatten().all(is_sane);
        matches!(self, EngineError::NotFinite { .. }) && is_extreme()
    }

    /// Whether the system lacks a resource that the engine needs.
    pub fn is_shortage(&self) -> bool {
        let of_file =
            |error: &ModelError| matches!(error, ModelError::File { is_shortage: true, .. });
        match self {
            EngineError::SystemLimit { .. } | EngineError::OutOfMemory { .. } => true,
            EngineError::Model(error) => of_file(error),
            _ => false,
        }
    }

    /// The reason on the wire.
    pub fn reason(&self) -> ErrorReason {
        match self {
            EngineError::Model(error) => error.reason(),
            EngineError::NoModelForStems { .. } => ErrorReason::StemUnknown,
            EngineError::Load { .. } | EngineError::NoneWorks { .. } => {
                ErrorReason::ModelUnavailable
            }
            EngineError::Run { .. }
            | EngineError::NotFinite { .. }
            | EngineError::Panicked { .. }
            | EngineError::TimedOut { .. }
            | EngineError::Crashed { .. } => ErrorReason::EngineFailed,
            EngineError::Killed { .. } => ErrorReason::ProcessKilled,
            EngineError::SystemLimit { .. } | EngineError::OutOfMemory { .. } => {
                ErrorReason::SystemLimit
            }
            EngineError::Cancelled => ErrorReason::SessionCancelled,
            EngineError::ShuttingDown => ErrorReason::ShuttingDown,
        }
    }

    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            EngineError::Model(error) => error.remedy(),
            EngineError::NoModelForStems { .. } => {
                "Ask for stems that the model yields, or name another model.".into()
            }
            EngineError::NoneWorks { .. } => {
                "Run `stemwire doctor` on the server, and install, repair or replace the model."
                    .into()
            }
            other => other.reason().remedy().to_owned(),
        }
    }

    /// The message for readers without a token: without paths and without messages of libraries or the system, which may
    /// contain paths.
    pub fn public_message(&self) -> String {
        match self {
            EngineError::Model(error) => error.public_message(),
            EngineError::Load { model, .. } => format!("model {model} cannot be loaded"),
            EngineError::Run { model, .. } => format!("model {model} failed on a segment"),
            EngineError::Panicked { model, .. } => format!("model {model} panicked"),
            EngineError::SystemLimit { model, .. } | EngineError::OutOfMemory { model, .. } => {
                format!("model {model} cannot compute a segment now")
            }
            EngineError::NoneWorks { .. } => "no engine works".into(),
            other => other.to_string(),
        }
    }
}

fn reports_lack_of_memory(reason: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|text| reason.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_memory_is_told_from_failures_of_the_engine() {
        // The first two are those of ONNX Runtime 1.31.1 under a limit of memory.
        let node =
            "Non-zero status code returned while running Conv node. Name:'' Status Message: ";
        for (message, expected) in [
            (
                "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* \
                 onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) \
                 Failed to allocate memory for requested buffer of size 4294967296",
                true,
            ),
            ("std::bad_alloc", true),
            ("CUDA failure 2: out of memory ; GPU=0", true),
            ("Invalid input shape: {1,2}", false),
        ] {
            let error = EngineError::of_run("mini", format!("{node}{message}"));
            assert_eq!(error.is_shortage(), expected, "{error}");
        }
    }

    #[test]
    fn lack_of_memory_makes_no_model_unusable() {
        let of_reserve = Vec::<u8>::new().try_reserve(usize::MAX).unwrap_err().to_string();
        for (reason, is_lack) in [
            ("std::bad_alloc".to_owned(), true),
            ("mini.safetensors: Cannot allocate memory (os error 12)".to_owned(), true),
            (std::io::Error::from(std::io::ErrorKind::OutOfMemory).to_string(), true),
            (of_reserve, true),
            ("tensor a has the shape [1]".to_owned(), false),
        ] {
            for of in [EngineError::of_load, EngineError::of_unfit] {
                let error = of("mini", reason.clone());
                assert_eq!(error.is_shortage(), is_lack, "{error}");
                assert_eq!(error.is_model_unusable(), !is_lack, "{error}");
            }
        }
    }
}
