//! The one place where errors become codes.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::engine::EngineError;
use crate::separation::SeparationError;
use crate::session::failure::SessionError;
use crate::session::{Failure, Reason};

/// The `domain` of every `ErrorInfo`.
pub(super) const DOMAIN: &str = "stemwire";

/// Why a call is refused or ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Separation(#[from] SeparationError),
    #[error("the first message must be `config`")]
    ConfigMissing,
    #[error("`config` came again; it is sent once")]
    ConfigRepeated,
    #[error("a message without content came; send `chunk` or `finish`")]
    MessageEmpty,
    #[error("a chunk of {bytes} bytes came; send {limit} bytes at most")]
    ChunkTooLarge { bytes: usize, limit: usize },
    #[error("a message of more than {limit} bytes came; send chunks of 64 to 256 KiB")]
    MessageTooLarge { limit: usize },
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("{0:?} is not a session id: it must be a UUID")]
    SessionIdInvalid(String),
    #[error("{0:?} is not a stem name")]
    StemNameInvalid(String),
    #[error("the page token is not one that this server gave; begin with an empty one")]
    PageTokenInvalid,
    #[error("the request stream ended without `finish` after {committed} bytes; continue there")]
    UploadUnfinished { committed: u64 },
    #[error("no byte came for {seconds} s; continue at byte {committed}")]
    UploadIdle { seconds: u64, committed: u64 },
    #[error("another call with the same request_id has taken the session over")]
    TakenOver,
    #[error("the call's deadline has passed; the session can be continued or watched")]
    DeadlineExceeded,
    #[error("the session rests; continue its upload or watch it to make it go on")]
    SessionPaused,
    #[error("the session was cancelled")]
    SessionCancelled,
    #[error("the session was deleted")]
    SessionDeleted,
    #[error("the call needs a token: send `authorization: Bearer TOKEN`")]
    Unauthenticated,
    #[error("this server is not {host:?}; call it by its address, or start it with --allow-host")]
    HostForbidden { host: String },
    #[error("pages of {origin:?} may not call this server; start it with --allow-origin")]
    OriginForbidden { origin: String },
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> ApiError {
        ApiError::Separation(SeparationError::Session(error))
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> ApiError {
        SessionError::Failed(failure).into()
    }
}

/// What an error is on the wire.
struct Answer {
    code: Code,
    reason: &'static str,
    numbers: BTreeMap<String, String>,
    /// The field of the request that is wrong.
    field: Option<&'static str>,
    /// When it is worth trying again.
    retry: Option<Duration>,
    /// It is a limit that stands in the way.
    quota: bool,
}

/// The status that a call ends with.
pub(super) fn to_status(error: ApiError) -> Status {
    let message = error.to_string();
    let answer = answer(&error);
    let metadata: HashMap<String, String> = answer.numbers.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(answer.reason, DOMAIN, metadata);
    if let Some(field) = answer.field {
        details.add_bad_request_violation(field, message.clone());
    }
    if answer.retry.is_some() {
        details.set_retry_info(answer.retry);
    }
    if answer.quota {
        details.add_quota_failure_violation("server", message.clone());
    }
    Status::with_error_details(answer.code, message, details)
}

/// The code and the reason that a failed session's calls end with.
pub(super) fn of_failure(failure: &Failure) -> (Code, &'static str) {
    let answer = failed(failure);
    (answer.code, answer.reason)
}

fn plain(code: Code, reason: &'static str) -> Answer {
    Answer { code, reason, numbers: BTreeMap::new(), field: None, retry: None, quota: false }
}

impl Answer {
    fn with(mut self, name: &str, value: impl ToString) -> Answer {
        self.numbers.insert(name.to_owned(), value.to_string());
        self
    }

    fn field(mut self, field: &'static str) -> Answer {
        self.field = Some(field);
        self
    }

    fn retry(mut self, seconds: u64) -> Answer {
        self.retry = Some(Duration::from_secs(seconds));
        self
    }

    fn quota(mut self) -> Answer {
        self.quota = true;
        self
    }
}

fn answer(error: &ApiError) -> Answer {
    match error {
        ApiError::Separation(error) => of_separation(error),
        ApiError::ConfigMissing => plain(Code::InvalidArgument, "CONFIG_MISSING").field("config"),
        ApiError::ConfigRepeated => plain(Code::InvalidArgument, "CONFIG_REPEATED").field("config"),
        ApiError::MessageEmpty => plain(Code::InvalidArgument, "MESSAGE_EMPTY").field("message"),
        ApiError::ChunkTooLarge { limit, .. } => plain(Code::InvalidArgument, "CHUNK_TOO_LARGE")
            .field("chunk")
            .with("limit_bytes", limit),
        ApiError::MessageTooLarge { limit } => {
            plain(Code::OutOfRange, "MESSAGE_TOO_LARGE").field("message").with("limit_bytes", limit)
        }
        ApiError::Invalid { field, .. } => {
            plain(Code::InvalidArgument, "CONFIG_INVALID").field(field)
        }
        ApiError::SessionIdInvalid(_) => {
            plain(Code::InvalidArgument, "SESSION_ID_INVALID").field("session_id")
        }
        ApiError::StemNameInvalid(_) => {
            plain(Code::InvalidArgument, "STEM_NAME_INVALID").field("stem")
        }
        ApiError::PageTokenInvalid => {
            plain(Code::InvalidArgument, "PAGE_TOKEN_INVALID").field("page_token")
        }
        ApiError::UploadUnfinished { committed } => {
            plain(Code::Aborted, "UPLOAD_UNFINISHED").with("committed_bytes", committed)
        }
        ApiError::UploadIdle { committed, .. } => {
            plain(Code::Aborted, "UPLOAD_IDLE").with("committed_bytes", committed)
        }
        ApiError::TakenOver => plain(Code::Aborted, "REQUEST_TAKEN_OVER"),
        ApiError::DeadlineExceeded => plain(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ApiError::SessionPaused => plain(Code::FailedPrecondition, "SESSION_PAUSED"),
        ApiError::SessionCancelled => plain(Code::Cancelled, "SESSION_CANCELLED"),
        ApiError::SessionDeleted => plain(Code::NotFound, "SESSION_NOT_FOUND"),
        ApiError::Unauthenticated => plain(Code::Unauthenticated, "TOKEN_MISSING"),
        ApiError::HostForbidden { .. } => plain(Code::PermissionDenied, "HOST_FORBIDDEN"),
        ApiError::OriginForbidden { .. } => plain(Code::PermissionDenied, "ORIGIN_FORBIDDEN"),
    }
}

fn of_separation(error: &SeparationError) -> Answer {
    match error {
        SeparationError::Session(error) => of_session(error),
        SeparationError::Engine(error) => of_engine(error),
        SeparationError::Overlap(_) => {
            plain(Code::InvalidArgument, "CONFIG_INVALID").field("config.overlap")
        }
        SeparationError::QueueFull { open, queued } => plain(Code::ResourceExhausted, "QUEUE_FULL")
            .with("open_sessions", open)
            .with("queued_sessions", queued)
            .retry(10)
            .quota(),
        SeparationError::DiskFull { free } => {
            plain(Code::ResourceExhausted, "DISK_FULL").with("free_bytes", free).retry(60).quota()
        }
        SeparationError::StorageFull { held, limit } => {
            plain(Code::ResourceExhausted, "STORAGE_FULL")
                .with("held_bytes", held)
                .with("limit_bytes", limit)
                .retry(60)
                .quota()
        }
        SeparationError::ShuttingDown => plain(Code::Unavailable, "SHUTTING_DOWN").retry(5),
    }
}

fn of_session(error: &SessionError) -> Answer {
    match error {
        SessionError::NotFound(_) => plain(Code::NotFound, "SESSION_NOT_FOUND"),
        SessionError::Gap { committed, .. } => {
            plain(Code::OutOfRange, "UPLOAD_GAP").with("committed_bytes", committed)
        }
        SessionError::Conflict { offset } => {
            plain(Code::InvalidArgument, "UPLOAD_CONFLICT").with("offset", offset)
        }
        SessionError::UploadFinished { total } => {
            plain(Code::FailedPrecondition, "UPLOAD_FINISHED").with("total_bytes", total)
        }
        SessionError::UploadTooLarge { limit } => {
            plain(Code::ResourceExhausted, "UPLOAD_TOO_LARGE").with("limit_bytes", limit).quota()
        }
        SessionError::UploadIncomplete { committed, .. } => {
            plain(Code::OutOfRange, "UPLOAD_INCOMPLETE").with("committed_bytes", committed)
        }
        SessionError::UploadSizeMismatch { committed, .. } => {
            plain(Code::InvalidArgument, "UPLOAD_SIZE_MISMATCH").with("committed_bytes", committed)
        }
        SessionError::Failed(failure) => failed(failure),
        SessionError::Ended(state) => {
            plain(Code::FailedPrecondition, "SESSION_ENDED").with("state", format!("{state:?}"))
        }
        SessionError::RequestConflict { session, .. } => {
            plain(Code::AlreadyExists, "REQUEST_CONFLICT").with("session_id", session)
        }
        SessionError::StemUnknown { known, .. } => {
            plain(Code::NotFound, "STEM_UNKNOWN").with("stems", known)
        }
        SessionError::FrameOutOfRange { frames, .. } => {
            plain(Code::OutOfRange, "FRAME_OUT_OF_RANGE").with("frames", frames)
        }
        SessionError::Storage(error) if error.kind() == io::ErrorKind::StorageFull => {
            plain(Code::ResourceExhausted, "DISK_FULL").retry(60).quota()
        }
        SessionError::Storage(_) => plain(Code::Internal, "STORAGE_FAILED"),
    }
}

fn of_engine(error: &EngineError) -> Answer {
    match error {
        EngineError::UnknownModel { .. } => {
            plain(Code::InvalidArgument, "MODEL_UNKNOWN").field("config.model")
        }
        EngineError::NotInstalled { .. } => {
            plain(Code::FailedPrecondition, "MODEL_NOT_INSTALLED").field("config.model")
        }
        EngineError::NoModelForStems { .. } => {
            plain(Code::InvalidArgument, "STEM_UNKNOWN").field("config.stems")
        }
        EngineError::Card { .. }
        | EngineError::File { .. }
        | EngineError::Hash { .. }
        | EngineError::Load { .. } => plain(Code::Unavailable, "MODEL_UNAVAILABLE"),
        EngineError::NoneWorks { .. } => plain(Code::Unavailable, "MODEL_UNAVAILABLE").retry(30),
        EngineError::Run { .. }
        | EngineError::NotFinite { .. }
        | EngineError::Panicked { .. }
        | EngineError::TimedOut { .. } => plain(Code::Internal, "ENGINE_FAILED"),
        EngineError::Cancelled => plain(Code::Cancelled, "SESSION_CANCELLED"),
        EngineError::ShuttingDown => plain(Code::Unavailable, "SHUTTING_DOWN").retry(5),
    }
}

fn failed(failure: &Failure) -> Answer {
    let code = match failure.reason {
        Reason::UploadEmpty
        | Reason::UploadHashMismatch
        | Reason::FormatUnknown
        | Reason::CodecUnsupported
        | Reason::SampleRateUnsupported
        | Reason::ChannelsUnsupported
        | Reason::PcmLengthOdd
        | Reason::NothingDecoded
        | Reason::DecoderCrashed
        | Reason::DecoderLimit => Code::InvalidArgument,
        Reason::UploadTooLarge | Reason::TrackTooLong | Reason::DiskFull => Code::ResourceExhausted,
        Reason::ModelUnavailable => Code::Unavailable,
        Reason::ResumeWindowEnded => Code::FailedPrecondition,
        Reason::StorageFailed
        | Reason::EngineFailed
        | Reason::NoFallbackForStem
        | Reason::CrashedTooOften
        | Reason::Internal => Code::Internal,
    };
    let mut answer = plain(code, failure.reason.as_str());
    answer.numbers.clone_from(&failure.details);
    answer.quota = code == Code::ResourceExhausted;
    if failure.reason == Reason::DiskFull { answer.retry(60) } else { answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_carries_its_reason_and_numbers() {
        let status = to_status(SessionError::Gap { offset: 9, committed: 4 }.into());
        assert_eq!(status.code(), Code::OutOfRange);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UPLOAD_GAP", "stemwire"));
        assert_eq!(info.metadata["committed_bytes"], "4");

        let full = SeparationError::QueueFull { open: 1, queued: 0 };
        let details = to_status(full.into()).get_error_details();
        assert!(details.retry_info().is_some() && details.quota_failure().is_some());

        let field = ApiError::Invalid { field: "config.gain", problem: "not finite".into() };
        let details = to_status(field).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "config.gain");
    }
}
