//! Errors of engines as messages.

use std::time::Duration;

use crate::engine::EngineError;
use crate::proto::tasks::{TaskFailure, TaskFailureKind as Kind};

/// The message of an error; `None` if the task was not computed, so that another worker may.
pub(super) fn to_wire(error: &EngineError) -> Option<TaskFailure> {
    let failure = |kind: Kind, reason: &str| TaskFailure {
        kind: kind.into(),
        reason: reason.to_owned(),
        limit_ms: 0,
    };
    Some(match error {
        EngineError::Cancelled | EngineError::ShuttingDown => return None,
        EngineError::Model(_)
        | EngineError::NoModelForStems { .. }
        | EngineError::NoneWorks { .. } => failure(Kind::Load, &error.to_string()),
        EngineError::Load { reason, .. } => failure(Kind::Load, reason),
        EngineError::Run { reason, .. } => failure(Kind::Run, reason),
        EngineError::NotFinite { .. } => failure(Kind::NotFinite, ""),
        EngineError::Panicked { reason, .. } => failure(Kind::Panicked, reason),
        EngineError::TimedOut { limit, .. } => TaskFailure {
            limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            ..failure(Kind::TimedOut, "")
        },
        EngineError::Crashed { signal, .. } => failure(Kind::Crashed, signal),
        EngineError::Killed { .. } => failure(Kind::Killed, ""),
        EngineError::OutOfMemory { reason, .. } => failure(Kind::OutOfMemory, reason),
        EngineError::SystemLimit { reason, .. } => failure(Kind::SystemLimit, reason),
    })
}

/// The error of a message about `model`.
pub(super) fn from_wire(model: &str, failure: TaskFailure) -> EngineError {
    /// The signals by which a crash is known.
    const SIGNALS: [&str; 5] = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"];
    let kind = failure.kind();
    let (model, reason) = (model.to_owned(), failure.reason);
    match kind {
        Kind::Load => EngineError::Load { model, reason },
        Kind::Run | Kind::Unspecified => EngineError::Run { model, reason },
        Kind::NotFinite => EngineError::NotFinite { model },
        Kind::Panicked => EngineError::Panicked { model, reason },
        Kind::TimedOut => {
            EngineError::TimedOut { model, limit: Duration::from_millis(failure.limit_ms) }
        }
        Kind::Crashed => {
            let signal = SIGNALS.into_iter().find(|signal| *signal == reason);
            EngineError::Crashed { model, signal: signal.unwrap_or("a signal") }
        }
        Kind::Killed => EngineError::Killed { model },
        Kind::OutOfMemory => EngineError::OutOfMemory { model, reason },
        Kind::SystemLimit => EngineError::SystemLimit { model, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_on_another_machine_what_it_is_here() {
        let (model, reason) = (|| "mini".to_owned(), || "no luck".to_owned());
        for error in [
            EngineError::Load { model: model(), reason: reason() },
            EngineError::Run { model: model(), reason: reason() },
            EngineError::NotFinite { model: model() },
            EngineError::Panicked { model: model(), reason: reason() },
            EngineError::TimedOut { model: model(), limit: Duration::from_millis(1500) },
            EngineError::Crashed { model: model(), signal: "SIGSEGV" },
            EngineError::Killed { model: model() },
            EngineError::OutOfMemory { model: model(), reason: reason() },
            EngineError::SystemLimit { model: model(), reason: reason() },
        ] {
            let sent = to_wire(&error).unwrap();
            assert_eq!(format!("{:?}", from_wire("mini", sent)), format!("{error:?}"));
        }
    }

    #[test]
    fn a_worker_that_stops_has_not_failed() {
        assert_eq!(to_wire(&EngineError::ShuttingDown), None);
        assert_eq!(to_wire(&EngineError::Cancelled), None);
    }
}
