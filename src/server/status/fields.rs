//! The fields of an error as sent to clients: reason, codes, metadata, remedy.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use tonic::Code;

use super::ApiError;
use crate::audio::StemName;
use crate::encode::EncodeError;
use crate::engine::EngineError;
use crate::model::ModelError;
use crate::proto::reason::ErrorReason;
use crate::separation::SeparationError;
use crate::session::{Failure, Manifest, SessionError};

/// The fields of an error as sent to clients, over gRPC and HTTP.
pub(super) struct ErrorFields {
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

impl ErrorFields {
    /// The values that the proto declares for a reason.
    pub(super) fn of(reason: ErrorReason) -> ErrorFields {
        let status = StatusCode::from_u16(reason.http_status());
        ErrorFields {
            reason,
            code: Code::from_i32(reason.code()),
            http_status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            metadata: BTreeMap::new(),
            field: None,
            retry: reason.retry_after(),
            remedy: reason.remedy().to_owned(),
        }
    }

    fn with(mut self, name: &str, value: impl ToString) -> ErrorFields {
        self.metadata.insert(name.to_owned(), value.to_string());
        self
    }

    fn field(self, field: &'static str) -> ErrorFields {
        ErrorFields { field: Some(field), ..self }
    }

    fn remedy(self, remedy: impl Into<String>) -> ErrorFields {
        ErrorFields { remedy: remedy.into(), ..self }
    }

    /// Removes the delay, for errors that a retry would repeat.
    fn without_retry(self) -> ErrorFields {
        ErrorFields { retry: None, ..self }
    }

    /// Replaces the codes of the reason by those of an invalid request.
    fn invalid_argument(self) -> ErrorFields {
        ErrorFields { code: Code::InvalidArgument, http_status: StatusCode::BAD_REQUEST, ..self }
    }
}

/// The fields of an error.
pub(super) fn fields_of(error: &ApiError) -> ErrorFields {
    use ErrorReason as R;
    match error {
        ApiError::Separation(error) => of_separation(error),
        ApiError::ConfigMissing => ErrorFields::of(R::ConfigMissing).field("config"),
        ApiError::ConfigRepeated => ErrorFields::of(R::ConfigRepeated).field("config"),
        ApiError::MessageEmpty => ErrorFields::of(R::MessageEmpty).field("message"),
        ApiError::ChunkTooLarge { limit, .. } => {
            ErrorFields::of(R::ChunkTooLarge).field("chunk").with("limit_bytes", limit)
        }
        ApiError::MessageTooLarge { limit } => {
            ErrorFields::of(R::MessageTooLarge).field("message").with("limit_bytes", limit)
        }
        ApiError::Invalid { field, .. } => ErrorFields::of(R::ConfigInvalid).field(field),
        ApiError::MixInvalid { error, stems } => {
            let names: Vec<_> = stems.iter().map(StemName::as_str).collect();
            let fields = ErrorFields::of(R::ConfigInvalid).field("gains");
            fields.with("stems", names.join(", ")).remedy(error.remedy(stems))
        }
        ApiError::SessionIdInvalid(_) => ErrorFields::of(R::SessionIdInvalid).field("session_id"),
        ApiError::StemNameInvalid(_) => ErrorFields::of(R::StemNameInvalid).field("stem"),
        ApiError::PageTokenInvalid => ErrorFields::of(R::PageTokenInvalid).field("page_token"),
        ApiError::UploadUnfinished { committed } => ErrorFields::of(R::UploadUnfinished)
            .with("committed_bytes", committed)
            .remedy(format!("Continue at byte {committed}, then send `finish`.")),
        ApiError::UploadIdle { committed, .. } => {
            ErrorFields::of(R::UploadIdle).with("committed_bytes", committed)
        }
        ApiError::TakenOver => ErrorFields::of(R::RequestTakenOver),
        ApiError::DeadlineExceeded => ErrorFields::of(R::DeadlineExceeded),
        ApiError::SessionPaused => ErrorFields::of(R::SessionPaused),
        ApiError::SessionCancelled => ErrorFields::of(R::SessionCancelled),
        ApiError::SessionDeleted => ErrorFields::of(R::SessionNotFound),
        ApiError::Unauthenticated => ErrorFields::of(R::TokenMissing),
        ApiError::TooManyGuesses { limit, retry } => {
            let fields = ErrorFields::of(R::TooManyGuesses).with("limit_per_minute", limit);
            ErrorFields { retry: Some(*retry), ..fields }
        }
        ApiError::HostInvalid(_) => ErrorFields::of(R::HostInvalid),
        ApiError::ContentTypeUnsupported { .. } => ErrorFields::of(R::ContentTypeUnsupported),
        ApiError::HostForbidden { .. } => ErrorFields::of(R::HostForbidden),
        ApiError::OriginForbidden { .. } => ErrorFields::of(R::OriginForbidden),
        ApiError::RouteUnknown { .. } => ErrorFields::of(R::RouteUnknown),
        ApiError::MethodUnsupported { .. } => ErrorFields::of(R::MethodUnsupported),
        ApiError::MultipartMissing => ErrorFields::of(R::MultipartMissing),
        ApiError::MultipartMalformed(_) => ErrorFields::of(R::MultipartMalformed),
        ApiError::FileMissing => ErrorFields::of(R::FileMissing),
        ApiError::FieldUnknown { known, .. } => {
            ErrorFields::of(R::FieldUnknown).with("known", known)
        }
        ApiError::FieldRepeated(_) => ErrorFields::of(R::FieldRepeated),
        ApiError::FieldLate(_) => ErrorFields::of(R::FieldLate),
        ApiError::FieldTooLong { limit, .. } => {
            ErrorFields::of(R::FieldTooLong).with("limit_bytes", limit)
        }
        ApiError::SessionNotDone { state, finished, total } => {
            let fields = ErrorFields::of(R::SessionNotDone)
                .with("state", state.as_str())
                .with("finished_frames", finished.0);
            match total {
                Some(total) => fields.with("total_frames", total.0),
                None => fields,
            }
        }
        ApiError::RangeUnsatisfiable { size } => {
            ErrorFields::of(R::RangeUnsatisfiable).with("size_bytes", size)
        }
        ApiError::TusVersionUnsupported { supported, .. } => {
            ErrorFields::of(R::TusVersionUnsupported).with("supported", supported)
        }
        ApiError::UploadTypeUnsupported { .. } => ErrorFields::of(R::UploadTypeUnsupported),
        ApiError::UploadOffsetMismatch { committed, .. } => {
            ErrorFields::of(R::UploadOffsetMismatch)
                .with("committed_bytes", committed)
                .remedy(format!("Continue at byte {committed}."))
        }
        ApiError::UploadGone { reason, .. } => {
            ErrorFields::of(R::UploadGone).with("session_reason", reason)
        }
        ApiError::StemsMissing(_) => ErrorFields::of(R::StemsIncomplete),
        ApiError::FfmpegMissing { format } => {
            let fields = ErrorFields::of(R::EncoderMissing).field("format");
            match (EncodeError::FfmpegMissing { format: *format }).remedy() {
                Some(remedy) => fields.remedy(remedy),
                None => fields,
            }
        }
        ApiError::DeadlineInvalid(_) => ErrorFields::of(R::DeadlineInvalid),
        ApiError::TooManyConnections => ErrorFields::of(R::TooManyConnections),
        ApiError::ServerBusy => ErrorFields::of(R::ServerBusy),
        ApiError::RequestTooSlow => ErrorFields::of(R::RequestTooSlow),
        ApiError::ReaderTooSlow => ErrorFields::of(R::ReaderTooSlow),
        ApiError::Defect => ErrorFields::of(R::Internal),
    }
}

fn of_separation(error: &SeparationError) -> ErrorFields {
    let fields = ErrorFields::of(error.reason()).remedy(error.remedy());
    match error {
        SeparationError::Session(error) => of_session(error),
        SeparationError::Engine(error) => of_engine(error),
        SeparationError::Overlap(_) => fields.field("config.overlap"),
        SeparationError::QueueFull { open, queued } => {
            fields.with("open_sessions", open).with("queued_sessions", queued)
        }
        SeparationError::BacklogFull { queued, lanes } => {
            fields.with("queued_segments", queued).with("worker_lanes", lanes)
        }
        SeparationError::ClientFull { sessions, .. } => fields.with("client_sessions", sessions),
        SeparationError::ShuttingDown => fields,
    }
}

fn of_session(error: &SessionError) -> ErrorFields {
    let fields = ErrorFields::of(error.reason()).remedy(error.remedy());
    match error {
        SessionError::NotFound(_)
        | SessionError::Unreadable(_)
        | SessionError::Replica(_)
        | SessionError::Elsewhere { .. }
        | SessionError::Lease(_)
        | SessionError::Storage(_) => fields,
        SessionError::VersionUnsupported { version, .. } => {
            fields.with("version", version).with("supported_version", Manifest::VERSION)
        }
        SessionError::Gap { committed, .. }
        | SessionError::UploadIncomplete { committed, .. }
        | SessionError::UploadSizeMismatch { committed, .. } => {
            fields.with("committed_bytes", committed)
        }
        SessionError::Space(error) => {
            let metadata = Failure::from(*error).details;
            ErrorFields { metadata, ..fields }
        }
        SessionError::Conflict { offset } => fields.with("offset", offset),
        SessionError::UploadFinished { total } => fields.with("total_bytes", total),
        SessionError::UploadTooLarge { limit } => fields.with("limit_bytes", limit),
        SessionError::Failed(failure) => failed(failure),
        SessionError::Ended(state) => fields.with("state", format!("{state:?}")),
        SessionError::RequestConflict { session, .. } => fields.with("session_id", session),
        SessionError::StemUnknown { known, .. } => fields.with("stems", known),
        SessionError::FrameOutOfRange { frames, .. } => fields.with("frames", frames),
    }
}

fn of_engine(error: &EngineError) -> ErrorFields {
    let fields = ErrorFields::of(error.reason()).remedy(error.remedy());
    match error {
        EngineError::Model(ModelError::Unknown { .. } | ModelError::NotInstalled { .. }) => {
            fields.field("config.model")
        }
        EngineError::Model(ModelError::Ensemble { .. }) => fields.field("config.ensemble"),
        EngineError::NoModelForStems { .. } => fields.invalid_argument().field("config.stems"),
        EngineError::NoneWorks { may_recover: true, .. } => fields,
        EngineError::Model(
            ModelError::Card { .. }
            | ModelError::File { .. }
            | ModelError::Hash { .. }
            | ModelError::Unfit { .. },
        )
        | EngineError::Load { .. }
        | EngineError::NoneWorks { may_recover: false, .. } => fields.without_retry(),
        EngineError::Run { .. }
        | EngineError::NotFinite { .. }
        | EngineError::Panicked { .. }
        | EngineError::TimedOut { .. }
        | EngineError::Crashed { .. }
        | EngineError::Killed { .. }
        | EngineError::OutOfMemory { .. }
        | EngineError::SystemLimit { .. }
        | EngineError::Cancelled
        | EngineError::ShuttingDown => fields,
    }
}

/// The error of a failed session. Calls on it fail in the same way however often they are retried.
pub(super) fn failed(failure: &Failure) -> ErrorFields {
    let metadata = failure.details.clone();
    let fields = ErrorFields::of(failure.reason).remedy(failure.remedy()).without_retry();
    ErrorFields { metadata, ..fields }
}
