//! The one place where errors become codes.
//!
//! [`mod@answer`] gives each error its code and reason, [`mod@remedy`] each reason what helps; [`http`] is how
//! that looks to callers without gRPC.

mod answer;
mod http;
mod remedy;

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::audio::Frames;
use crate::separation::SeparationError;
use crate::session::failure::SessionError;
use crate::session::{Failure, SessionState};
use answer::answer;

pub(super) use http::{Problem, name as code_name, respond, respond_of};
pub(super) use remedy::remedy;

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
    #[error("there is nothing at {path:?}")]
    RouteUnknown { path: String },
    #[error("{path:?} does not take {method}")]
    MethodUnsupported { method: String, path: String },
    #[error("the upload must be multipart/form-data with a field `file`")]
    MultipartMissing,
    #[error("the multipart body is not what it should be: {0}")]
    MultipartMalformed(String),
    #[error("the multipart body has no field `file`")]
    FileMissing,
    #[error("{name:?} is not known here; there are {known}")]
    FieldUnknown { name: String, known: &'static str },
    #[error("the field {0:?} came twice")]
    FieldRepeated(String),
    #[error("the field {0:?} came after `file`, when the session had begun without it")]
    FieldLate(String),
    #[error("{name}: its value is longer than {limit} bytes")]
    FieldTooLong { name: String, limit: usize },
    #[error("the session is not done: {finished} of {} frames are", known(*.total))]
    SessionNotDone { state: SessionState, finished: Frames, total: Option<Frames> },
    #[error("the range begins after the end of the file, which has {size} bytes")]
    RangeUnsatisfiable { size: u64 },
    #[error("the server has a defect; its log tells more")]
    Defect,
}

fn known(total: Option<Frames>) -> String {
    total.map_or_else(|| "a still unknown number of".to_owned(), |total| total.to_string())
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

/// The status that a call ends with.
pub(super) fn to_status(error: ApiError) -> Status {
    let cause = error.to_string();
    let answer = answer(&error);
    let message = with_remedy(&cause, answer.reason);
    let metadata: HashMap<String, String> = answer.numbers.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(answer.reason, DOMAIN, metadata);
    if let Some(field) = answer.field {
        details.add_bad_request_violation(field, cause.clone());
    }
    if answer.retry.is_some() {
        details.set_retry_info(answer.retry);
    }
    if answer.quota {
        details.add_quota_failure_violation("server", cause);
    }
    Status::with_error_details(answer.code, message, details)
}

/// The code, the reason and the message that a failed session's calls end with.
pub(super) fn of_failure(failure: &Failure) -> (Code, &'static str, String) {
    let answer = answer::failed(failure);
    (answer.code, answer.reason, with_remedy(&failure.message, answer.reason))
}

/// Cause and remedy in one line, the remedy after the last semicolon: for people whose client shows the message alone.
fn with_remedy(cause: &str, reason: &str) -> String {
    // What knows a better remedy than its reason does says so itself.
    if cause.contains("; ") { cause.to_owned() } else { format!("{cause}; {}", remedy(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_ends_with_a_remedy() {
        let check = |error: ApiError, expected: &str| {
            let told = to_status(error).message().to_owned();
            assert_eq!(told.rsplit_once("; ").unwrap().1, expected, "{told}");
        };
        check(SessionError::Gap { offset: 9, committed: 4 }.into(), "continue there");
        check(SeparationError::Overlap(2.0).into(), remedy("CONFIG_INVALID"));
        check(SessionError::Conflict { offset: 1 }.into(), remedy("UPLOAD_CONFLICT"));
        check(
            SessionError::NotFound(crate::session::SessionId::random()).into(),
            remedy("SESSION_NOT_FOUND"),
        );
        let stem = SessionError::StemUnknown { stem: "kazoo".into(), known: "drums, bass".into() };
        check(stem.into(), remedy("STEM_UNKNOWN"));
        let failed = Failure::new(crate::session::Reason::StorageFailed, "the server's disk fails");
        assert_eq!(of_failure(&failed).2, to_status(failed.into()).message());
    }

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
