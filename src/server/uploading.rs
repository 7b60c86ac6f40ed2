//! Adds bytes to uploads, for gRPC and REST.

use std::sync::Arc;

use prost::bytes::Bytes;

use super::convert;
use super::status::ApiError;
use crate::proto;
use crate::separation::Separations;
use crate::session::Session;

/// Limit of one chunk, in bytes.
pub(super) const MAX_CHUNK_BYTES: usize = 1 << 20;

/// Adds bytes to a session's upload, and resumes it if it is paused.
pub(super) fn add_chunk(
    separations: &Separations,
    session: &Arc<Session>,
    offset: u64,
    bytes: &Bytes,
) -> Result<u64, ApiError> {
    check_chunk(bytes)?;
    Ok(separations.add_bytes(session, offset, bytes)?)
}

/// Adds bytes that came by a call that streams, as long as no other has taken the session from it.
pub(super) fn add_chunk_of_call(
    separations: &Separations,
    session: &Arc<Session>,
    call: u64,
    offset: u64,
    bytes: &Bytes,
) -> Result<(), ApiError> {
    check_chunk(bytes)?;
    check_call(session, call)?;
    separations.add_bytes_of_call(session, call, offset, bytes)?;
    Ok(())
}

fn check_chunk(bytes: &Bytes) -> Result<(), ApiError> {
    if bytes.len() > MAX_CHUNK_BYTES {
        return Err(ApiError::ChunkTooLarge { bytes: bytes.len(), limit: MAX_CHUNK_BYTES });
    }
    Ok(())
}

fn check_call(session: &Session, call: u64) -> Result<(), ApiError> {
    if session.is_taken_from(call) { Err(ApiError::TakenOver) } else { Ok(()) }
}

/// Finishes a session's upload, and resumes it if it is paused.
pub(super) fn finish_upload(
    separations: &Separations,
    session: &Arc<Session>,
    finish: &proto::Finish,
) -> Result<Arc<Session>, ApiError> {
    let sha256 = convert::sha256(&finish.sha256)?;
    separations.finish_upload(session, finish.total_bytes, sha256.as_deref())?;
    Ok(Arc::clone(session))
}

/// Finishes an upload by a call that streams, as long as no other has taken the session from it.
pub(super) fn finish_upload_of_call(
    separations: &Separations,
    session: &Arc<Session>,
    call: u64,
    finish: &proto::Finish,
) -> Result<(), ApiError> {
    let sha256 = convert::sha256(&finish.sha256)?;
    check_call(session, call)?;
    separations.finish_upload_of_call(session, call, finish.total_bytes, sha256.as_deref())?;
    Ok(())
}
