//! Maps errors to gRPC and HTTP statuses.
//!
//! [`fields`] maps each error to its reason, whose codes the proto declares; [`http`] forms the JSON of plain
//! HTTP.

mod fields;
mod http;

use std::collections::HashMap;
use std::time::Duration;

use axum::http::HeaderValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::audio::mix::MixError;
use crate::audio::{FileFormat, Frames, StemName};
use crate::encode::ni_stems::StemsMissing;
use crate::proto::reason::{DOMAIN, ErrorReason};
use crate::separation::SeparationError;
use crate::server::forward_headers::OWNER;
use crate::session::{Failure, SessionError, SessionState};
use fields::{ErrorFields, fields_of};

pub(super) use http::{Problem, name as code_name, respond, respond_of};

/// Error of a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Separation(#[from] SeparationError),
    #[error("the first message must be `config`")]
    ConfigMissing,
    #[error("`config` was sent a second time")]
    ConfigRepeated,
    #[error("a message without content was sent")]
    MessageEmpty,
    #[error("a chunk of {bytes} bytes exceeds the limit of {limit} bytes")]
    ChunkTooLarge { bytes: usize, limit: usize },
    #[error("a message exceeds the limit of {limit} bytes")]
    MessageTooLarge { limit: usize },
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("gains: {error}")]
    MixInvalid { error: MixError, stems: Vec<StemName> },
    #[error("{0:?} is not a session id: it must be a UUID")]
    SessionIdInvalid(String),
    #[error("{0:?} is not a stem name")]
    StemNameInvalid(String),
    #[error("the page token was not issued by this server")]
    PageTokenInvalid,
    #[error("the request stream ended without `finish` after {committed} bytes")]
    UploadUnfinished { committed: u64 },
    #[error("no byte was received for {seconds} s")]
    UploadIdle { seconds: u64, committed: u64 },
    #[error("another call with the same request_id has taken the session over")]
    TakenOver,
    #[error("the call's deadline has passed")]
    DeadlineExceeded,
    #[error("the session is paused")]
    SessionPaused,
    #[error("the session was cancelled")]
    SessionCancelled,
    #[error("the session was deleted")]
    SessionDeleted,
    #[error("the call has no valid token")]
    Unauthenticated,
    #[error("the client has sent more than {limit} wrong tokens in a minute")]
    TooManyGuesses { limit: u32, retry: Duration },
    #[error("{0}")]
    HostInvalid(&'static str),
    #[error("calls of this service are POST requests of gRPC or grpc-web, not {given}")]
    ContentTypeUnsupported { given: String },
    #[error("the host name {host:?} is not allowed")]
    HostForbidden { host: String },
    #[error("pages of {origin:?} may not call this server")]
    OriginForbidden { origin: String },
    #[error("there is no route {path:?}")]
    RouteUnknown { path: String },
    #[error("the route {path:?} does not support {method}")]
    MethodUnsupported { method: String, path: String },
    #[error("the body is not multipart/form-data")]
    MultipartMissing,
    #[error("the multipart body is malformed: {0}")]
    MultipartMalformed(String),
    #[error("the multipart body has no field `file`")]
    FileMissing,
    #[error("the field {name:?} is unknown; known fields: {known}")]
    FieldUnknown { name: String, known: &'static str },
    #[error("the field {0:?} occurs twice")]
    FieldRepeated(String),
    #[error("the field {0:?} follows `file`, but options must precede it")]
    FieldLate(String),
    #[error("the value of the field {name:?} exceeds the limit of {limit} bytes")]
    FieldTooLong { name: String, limit: usize },
    #[error("the session is not done: {finished} of {} frames are finished", known(*.total))]
    SessionNotDone { state: SessionState, finished: Frames, total: Option<Frames> },
    #[error("the range starts after the end of the file of {size} bytes")]
    RangeUnsatisfiable { size: u64 },
    #[error("`Tus-Resumable` is {given}; this server supports version {supported}")]
    TusVersionUnsupported { given: String, supported: &'static str },
    #[error("the body is {given}, not {expected}")]
    UploadTypeUnsupported { given: String, expected: &'static str },
    #[error("the bytes start at {offset}, but the upload has {committed} bytes")]
    UploadOffsetMismatch { offset: u64, committed: u64 },
    #[error("the session of the upload has ended: {cause}")]
    UploadGone { reason: ErrorReason, cause: String },
    #[error(transparent)]
    StemsMissing(#[from] StemsMissing),
    #[error("{} is encoded by FFmpeg, and the server has none", format.name())]
    FfmpegMissing { format: FileFormat },
    #[error("`grpc-timeout` is {0:?}, which is no time limit")]
    DeadlineInvalid(String),
    #[error("the server has as many connections as it may have, all of them in use")]
    TooManyConnections,
    #[error("the server has as many calls or bytes under way as it may have")]
    ServerBusy,
    #[error("the body of the request did not arrive in time")]
    RequestTooSlow,
    #[error("the client has not read the answer for too long")]
    ReaderTooSlow,
    #[error("internal error in the server")]
    Defect,
}

fn known(total: Option<Frames>) -> String {
    total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string())
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

/// The status of a failed call: the cause is its message, everything else is in its details.
pub(super) fn to_status(error: ApiError) -> Status {
    let cause = error.to_string();
    let fields = fields_of(&error);
    let code = fields.code;
    let mut details = ErrorDetails::new();
    if let Some(field) = fields.field {
        details.add_bad_request_violation(field, cause.clone());
    }
    if code == Code::ResourceExhausted {
        details.add_quota_failure_violation("server", cause.clone());
    }
    add_fields(&mut details, fields);
    let mut status = Status::with_error_details(code, cause, details);
    if let Some(owner) = owner(&error) {
        status.metadata_mut().as_mut().insert(OWNER, owner);
    }
    status
}

/// The address of the gateway that has the session of a refused call, for the layer that forwards it.
fn owner(error: &ApiError) -> Option<HeaderValue> {
    match error {
        ApiError::Separation(SeparationError::Session(SessionError::Elsewhere {
            owner, ..
        })) => HeaderValue::from_str(&owner.address).ok(),
        _ => None,
    }
}

/// Adds the reason and what the proto declares for it.
pub(super) fn add_reason(details: &mut ErrorDetails, reason: ErrorReason) {
    add_fields(details, ErrorFields::of(reason));
}

fn add_fields(details: &mut ErrorDetails, fields: ErrorFields) {
    let mut metadata: HashMap<String, String> = fields.metadata.into_iter().collect();
    metadata.insert("remedy".to_owned(), fields.remedy);
    details.set_error_info(fields.reason.as_str(), DOMAIN, metadata);
    if fields.retry.is_some() {
        details.set_retry_info(fields.retry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;
    use crate::session::disk_space::SpaceError;

    /// The remedy and the retry delay in an error's status.
    fn carried(error: ApiError) -> (String, Option<u64>) {
        let details = to_status(error).get_error_details();
        let retry = details.retry_info().and_then(|retry| retry.retry_delay);
        let remedy = details.error_info().unwrap().metadata["remedy"].clone();
        (remedy, retry.map(|retry| retry.as_secs()))
    }

    #[test]
    fn an_error_carries_its_own_remedy_or_that_of_its_reason() {
        let check = |error: ApiError, expected: &str| assert_eq!(carried(error).0, expected);
        check(SessionError::Gap { offset: 9, committed: 4 }.into(), "Continue at byte 4.");
        check(SeparationError::Overlap(2.0).into(), ErrorReason::ConfigInvalid.remedy());
        let failure = Failure::new(ErrorReason::StorageFailed, "cause");
        check(failure.clone().into(), ErrorReason::StorageFailed.remedy());
        check(failure.with_remedy("Replace the disk.").into(), "Replace the disk.");
    }

    #[test]
    fn the_message_of_a_status_is_the_cause() {
        let failure = Failure::new(ErrorReason::UploadEmpty, "the upload has no bytes");
        assert_eq!(to_status(failure.into()).message(), "the upload has no bytes");
    }

    #[test]
    fn a_retry_is_offered_where_the_same_call_can_succeed() {
        let none_works = |may_recover| {
            let error = EngineError::NoneWorks { faults: "a".into(), may_recover };
            carried(SeparationError::Engine(error).into()).1
        };
        let full = SessionError::from(SpaceError::DiskFull { needed: 1, free: 1, limit: 2 });
        assert_eq!(carried(full.into()).1, Some(60));
        assert_eq!(carried(Failure::new(ErrorReason::DiskFull, "full").into()).1, None);
        assert_eq!((none_works(true), none_works(false)), (Some(30), None));
        assert_eq!(carried(ApiError::UploadIdle { seconds: 60, committed: 1 }).1, Some(1));
        assert_eq!(carried(ApiError::TakenOver).1, None);
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

    #[test]
    fn stems_that_no_model_yields_are_an_invalid_argument() {
        let error = EngineError::NoModelForStems { wanted: "kazoo".into(), available: "a".into() };
        let status = to_status(SeparationError::Engine(error).into());
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}
