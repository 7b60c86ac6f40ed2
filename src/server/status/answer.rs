//! Which code, reason and numbers an error has.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tonic::Code;

use super::ApiError;
use crate::engine::EngineError;
use crate::separation::SeparationError;
use crate::session::failure::SessionError;
use crate::session::{Failure, Reason};

/// What an error is on the wire.
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) reason: &'static str,
    pub(super) numbers: BTreeMap<String, String>,
    /// The field of the request that is wrong.
    pub(super) field: Option<&'static str>,
    /// When it is worth trying again.
    pub(super) retry: Option<Duration>,
    /// It is a limit that stands in the way.
    pub(super) quota: bool,
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

pub(super) fn answer(error: &ApiError) -> Answer {
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
        ApiError::RouteUnknown { .. } => plain(Code::NotFound, "ROUTE_UNKNOWN"),
        ApiError::MethodUnsupported { .. } => plain(Code::Unimplemented, "METHOD_UNSUPPORTED"),
        ApiError::MultipartMissing => plain(Code::InvalidArgument, "MULTIPART_MISSING"),
        ApiError::MultipartMalformed(_) => plain(Code::InvalidArgument, "MULTIPART_MALFORMED"),
        ApiError::FileMissing => plain(Code::InvalidArgument, "FILE_MISSING"),
        ApiError::FieldUnknown { .. } => plain(Code::InvalidArgument, "FIELD_UNKNOWN"),
        ApiError::FieldRepeated(_) => plain(Code::InvalidArgument, "FIELD_REPEATED"),
        ApiError::FieldLate(_) => plain(Code::InvalidArgument, "FIELD_LATE"),
        ApiError::FieldTooLong { limit, .. } => {
            plain(Code::InvalidArgument, "FIELD_TOO_LONG").with("limit_bytes", limit)
        }
        ApiError::SessionNotDone { state, finished, total } => {
            let answer = plain(Code::FailedPrecondition, "SESSION_NOT_DONE")
                .with("state", state.as_str())
                .with("finished_frames", finished.0);
            match total {
                Some(total) => answer.with("total_frames", total.0),
                None => answer,
            }
        }
        ApiError::RangeUnsatisfiable { size } => {
            plain(Code::OutOfRange, "RANGE_UNSATISFIABLE").with("size_bytes", size)
        }
        ApiError::Defect => plain(Code::Internal, "INTERNAL"),
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

pub(super) fn failed(failure: &Failure) -> Answer {
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
