//! Stores what arrives of an upload, and checks what a client announces of it.

use std::sync::Arc;

use super::headers::length_of;
use super::incoming::Incoming;
use crate::proto;
use crate::proto::reason::ErrorReason;
use crate::server::outcome::interruption;
use crate::server::rest::Rest;
use crate::server::status::ApiError;
use crate::server::uploading::{MAX_CHUNK_BYTES, add_chunk, finish_upload};
use crate::session::manifest::Announced;
use crate::session::{Failure, Session, SessionError, SessionState};

/// Stores a body from `offset` on. Finishes the upload if it is complete then.
pub(super) async fn receive(
    rest: &Rest,
    session: &Arc<Session>,
    body: &mut Incoming,
    mut offset: u64,
) -> Result<(), ApiError> {
    let length = length_of(&session.manifest());
    while let Some(mut bytes) = body.next(offset).await? {
        if length.is_some() {
            check_fits(rest, length, offset + bytes.len() as u64)?;
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_CHUNK_BYTES));
            let (session, at) = (Arc::clone(session), offset);
            offset += piece.len() as u64;
            rest.work(move |all| add_chunk(all, &session, at, &piece)).await?;
        }
        body.stored();
        if let Some(error) = interruption(session) {
            return Err(error);
        }
    }
    finish_if_complete(rest, session).await
}

/// Finishes an upload whose bytes are all stored, and resumes its session. Waits until those of another may be acknowledged.
pub(super) async fn finish_if_complete(
    rest: &Rest,
    session: &Arc<Session>,
) -> Result<(), ApiError> {
    let total_bytes = session.uploaded();
    if length_of(&session.manifest()) != Some(total_bytes) {
        let session = Arc::clone(session);
        return rest.work(move |all| Ok(all.acknowledge(&session)?)).await.map(drop);
    }
    let finish = proto::Finish { total_bytes, ..proto::Finish::default() };
    let session = Arc::clone(session);
    rest.work(move |all| finish_upload(all, &session, &finish)).await.map(drop)
}

/// Records the length of an upload, which cannot be changed later.
pub(super) async fn announce(
    rest: &Rest,
    session: &Arc<Session>,
    length: u64,
) -> Result<(), ApiError> {
    let manifest = session.manifest();
    match length_of(&manifest) {
        Some(known) if known == length => return Ok(()),
        Some(known) => {
            let problem = format!("{length} bytes were announced, and {known} before");
            return Err(ApiError::Invalid { field: "Upload-Length", problem });
        }
        None => check_length(rest, length)?,
    }
    check_fits(rest, Some(length), session.uploaded())?;
    let announced = Announced { length: Some(length), ..manifest.announced.clone() };
    let session = Arc::clone(session);
    rest.work(move |all| Ok(all.announce(&session, announced)?)).await
}

/// Checks a length that a client announces.
pub(super) fn check_length(rest: &Rest, length: u64) -> Result<(), ApiError> {
    if length == 0 {
        return Err(Failure::new(ErrorReason::UploadEmpty, "the upload has no bytes").into());
    }
    check_fits(rest, None, length)
}

/// Checks that an upload of `length` bytes, as far as it is known, may reach the byte `end`.
pub(super) fn check_fits(rest: &Rest, length: Option<u64>, end: u64) -> Result<(), ApiError> {
    let limit = rest.separations.limits().upload_bytes;
    match length {
        Some(length) if end > length => {
            let problem = format!("the upload has {length} bytes, but {end} were sent");
            Err(ApiError::Invalid { field: "Upload-Length", problem })
        }
        None if end > limit => Err(SessionError::UploadTooLarge { limit }.into()),
        _ => Ok(()),
    }
}

/// Refuses uploads whose sessions have failed or were cancelled.
pub(super) fn check_open(session: &Session) -> Result<(), ApiError> {
    let manifest = session.manifest();
    match (manifest.state(), &manifest.failure) {
        (SessionState::Failed, Some(failure)) => {
            Err(ApiError::UploadGone { reason: failure.reason, cause: failure.message.clone() })
        }
        (SessionState::Failed | SessionState::Cancelled, _) => {
            let reason = ErrorReason::SessionCancelled;
            Err(ApiError::UploadGone { reason, cause: "it was cancelled".to_owned() })
        }
        _ => Ok(()),
    }
}

/// The error of a request during which the session may have ended: that of the song, such as an unknown format, or that
/// the upload is gone. Clients of the protocol would try again after others.
pub(super) fn of_ended(session: &Session, error: ApiError) -> ApiError {
    let manifest = session.manifest();
    match &manifest.failure {
        Some(failure) if matches!(failure.reason.http_status(), 400 | 413) => {
            failure.clone().into()
        }
        _ => check_open(session).err().unwrap_or(error),
    }
}
