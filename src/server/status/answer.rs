//! An error as sent to clients: reason, codes, metadata, remedy.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use tonic::Code;

use super::ApiError;
use crate::engine::EngineError;
use crate::model::ModelError;
use crate::proto::reason::ErrorReason;
use crate::separation::SeparationError;
use crate::session::{Failure, Manifest, SessionError};

/// An error as sent to clients.
pub(super) struct Answer {
    pub(super) reason: ErrorReason,
    pub(super) code: Code,
    pub(super) http_status: StatusCode,
    /// Numbers and names behind the message.
    pub(super) metadata: BTreeMap<String, String>,
    /// The invalid field of the request.
    pub(super) field: Option<&'static str>,
    /// Delay after which a retry may succeed; `None` if a retry cannot help.
    pub(super) retry: Option<Duration>,
    /// The remedy, as one imperative sentence.
    pub(super) remedy: String,
}

impl Answer {
    /// The values that the proto declares for a reason.
    pub(super) fn of(reason: ErrorReason) -> Answer {
        let status = StatusCode::from_u16(reason.http_status());
        Answer {
            reason,
            code: Code::from_i32(reason.code()),
            http_status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            metadata: BTreeMap::new(),
            field: None,
            retry: reason.retry_after(),
            remedy: reason.remedy().to_owned(),
        }
    }

    fn with(mut self, name: &str, value: impl ToString) -> Answer {
        self.metadata.insert(name.to_owned(), value.to_string());
        self
    }

    fn field(self, field: &'static str) -> Answer {
        Answer { field: Some(field), ..self }
    }

    fn remedy(self, remedy: impl Into<String>) -> Answer {
        Answer { remedy: remedy.into(), ..self }
    }

    /// Removes the delay, for errors that a retry would repeat.
    fn without_retry(self) -> Answer {
        Answer { retry: None, ..self }
    }

    /// Replaces the codes of the reason by those of an invalid request.
    fn invalid_argument(self) -> Answer {
        Answer { code: Code::InvalidArgument, http_status: StatusCode::BAD_REQUEST, ..self }
    }
}

pub(super) fn answer(error: &ApiError) -> Answer {
    use ErrorReason as R;
    match error {
        ApiError::Separation(error) => of_separation(error),
        ApiError::ConfigMissing => Answer::of(R::ConfigMissing).field("config"),
        ApiError::ConfigRepeated => Answer::of(R::ConfigRepeated).field("config"),
        ApiError::MessageEmpty => Answer::of(R::MessageEmpty).field("message"),
        ApiError::ChunkTooLarge { limit, .. } => {
            Answer::of(R::ChunkTooLarge).field("chunk").with("limit_bytes", limit)
        }
        ApiError::MessageTooLarge { limit } => {
            Answer::of(R::MessageTooLarge).field("message").with("limit_bytes", limit)
        }
        ApiError::Invalid { field, .. } => Answer::of(R::ConfigInvalid).field(field),
        ApiError::SessionIdInvalid(_) => Answer::of(R::SessionIdInvalid).field("session_id"),
        ApiError::StemNameInvalid(_) => Answer::of(R::StemNameInvalid).field("stem"),
        ApiError::PageTokenInvalid => Answer::of(R::PageTokenInvalid).field("page_token"),
        ApiError::UploadUnfinished { committed } => Answer::of(R::UploadUnfinished)
            .with("committed_bytes", committed)
            .remedy(format!("Continue at byte {committed}, then send `finish`.")),
        ApiError::UploadIdle { committed, .. } => {
            Answer::of(R::UploadIdle).with("committed_bytes", committed)
        }
        ApiError::TakenOver => Answer::of(R::RequestTakenOver),
        ApiError::DeadlineExceeded => Answer::of(R::DeadlineExceeded),
        ApiError::SessionPaused => Answer::of(R::SessionPaused),
        ApiError::SessionCancelled => Answer::of(R::SessionCancelled),
        ApiError::SessionDeleted => Answer::of(R::SessionNotFound),
        ApiError::Unauthenticated => Answer::of(R::TokenMissing),
        ApiError::HostForbidden { .. } => Answer::of(R::HostForbidden),
        ApiError::OriginForbidden { .. } => Answer::of(R::OriginForbidden),
        ApiError::RouteUnknown { .. } => Answer::of(R::RouteUnknown),
        ApiError::MethodUnsupported { .. } => Answer::of(R::MethodUnsupported),
        ApiError::MultipartMissing => Answer::of(R::MultipartMissing),
        ApiError::MultipartMalformed(_) => Answer::of(R::MultipartMalformed),
        ApiError::FileMissing => Answer::of(R::FileMissing),
        ApiError::FieldUnknown { .. } => Answer::of(R::FieldUnknown),
        ApiError::FieldRepeated(_) => Answer::of(R::FieldRepeated),
        ApiError::FieldLate(_) => Answer::of(R::FieldLate),
        ApiError::FieldTooLong { limit, .. } => {
            Answer::of(R::FieldTooLong).with("limit_bytes", limit)
        }
        ApiError::SessionNotDone { state, finished, total } => {
            let answer = Answer::of(R::SessionNotDone)
                .with("state", state.as_str())
                .with("finished_frames", finished.0);
            match total {
                Some(total) => answer.with("total_frames", total.0),
                None => answer,
            }
        }
        ApiError::RangeUnsatisfiable { size } => {
            Answer::of(R::RangeUnsatisfiable).with("size_bytes", size)
        }
        ApiError::DeadlineInvalid(_) => Answer::of(R::DeadlineInvalid),
        ApiError::TooManyConnections => Answer::of(R::TooManyConnections),
        ApiError::Defect => Answer::of(R::Internal),
    }
}

fn of_separation(error: &SeparationError) -> Answer {
    let answer = Answer::of(error.reason()).remedy(error.remedy());
    match error {
        SeparationError::Session(error) => of_session(error),
        SeparationError::Engine(error) => of_engine(error),
        SeparationError::Overlap(_) => answer.field("config.overlap"),
        SeparationError::QueueFull { open, queued } => {
            answer.with("open_sessions", open).with("queued_sessions", queued)
        }
        SeparationError::DiskFull { free } => answer.with("free_bytes", free),
        SeparationError::StorageFull { held, limit } => {
            answer.with("held_bytes", held).with("limit_bytes", limit)
        }
        SeparationError::ShuttingDown => answer,
    }
}

fn of_session(error: &SessionError) -> Answer {
    let answer = Answer::of(error.reason()).remedy(error.remedy());
    match error {
        SessionError::NotFound(_) | SessionError::Storage(_) => answer,
        SessionError::VersionUnsupported { version, .. } => {
            answer.with("version", version).with("supported_version", Manifest::VERSION)
        }
        SessionError::Gap { committed, .. }
        | SessionError::UploadIncomplete { committed, .. }
        | SessionError::UploadSizeMismatch { committed, .. } => {
            answer.with("committed_bytes", committed)
        }
        SessionError::Conflict { offset } => answer.with("offset", offset),
        SessionError::UploadFinished { total } => answer.with("total_bytes", total),
        SessionError::UploadTooLarge { limit } => answer.with("limit_bytes", limit),
        SessionError::Failed(failure) => failed(failure),
        SessionError::Ended(state) => answer.with("state", format!("{state:?}")),
        SessionError::RequestConflict { session, .. } => answer.with("session_id", session),
        SessionError::StemUnknown { known, .. } => answer.with("stems", known),
        SessionError::FrameOutOfRange { frames, .. } => answer.with("frames", frames),
    }
}

fn of_engine(error: &EngineError) -> Answer {
    let answer = Answer::of(error.reason()).remedy(error.remedy());
    match error {
        EngineError::Model(ModelError::Unknown { .. } | ModelError::NotInstalled { .. }) => {
            answer.field("config.model")
        }
        EngineError::NoModelForStems { .. } => answer.invalid_argument().field("config.stems"),
        EngineError::NoneWorks { may_recover: true, .. } => answer,
        EngineError::Model(
            ModelError::Card { .. }
            | ModelError::File { .. }
            | ModelError::Hash { .. }
            | ModelError::Unfit { .. },
        )
        | EngineError::Load { .. }
        | EngineError::NoneWorks { may_recover: false, .. } => answer.without_retry(),
        EngineError::Run { .. }
        | EngineError::NotFinite { .. }
        | EngineError::Panicked { .. }
        | EngineError::TimedOut { .. }
        | EngineError::Cancelled
        | EngineError::ShuttingDown => answer,
    }
}

/// The error of a failed session. Calls on it fail in the same way however often they are retried.
pub(super) fn failed(failure: &Failure) -> Answer {
    let metadata = failure.details.clone();
    let answer = Answer::of(failure.reason).remedy(failure.remedy()).without_retry();
    Answer { metadata, ..answer }
}
