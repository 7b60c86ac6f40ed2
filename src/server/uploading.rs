//! How bytes get into a session, whoever sends them.

use std::sync::Arc;

use prost::bytes::Bytes;

use super::convert;
use super::status::ApiError;
use crate::separation::Separations;
use crate::session::{Session, State};
use crate::wire;

/// Bytes of one chunk at most.
pub(super) const MAX_CHUNK_BYTES: usize = 1 << 20;

/// Adds bytes to a session's upload; one that rests goes on.
pub(super) fn add_chunk(
    separations: &Separations,
    session: &Arc<Session>,
    offset: u64,
    bytes: &Bytes,
) -> Result<u64, ApiError> {
    if bytes.len() > MAX_CHUNK_BYTES {
        return Err(ApiError::ChunkTooLarge { bytes: bytes.len(), limit: MAX_CHUNK_BYTES });
    }
    if session.state() == State::Paused {
        separations.resume(session)?;
    }
    let held = session.uploaded();
    let added = session.add_bytes(offset, bytes, separations.limits().upload_bytes)?;
    // Bytes that were sent again are not new.
    separations.tell(|observer| observer.uploaded(added.saturating_sub(held)));
    Ok(added)
}

/// Ends a session's upload; one that rests goes on.
pub(super) fn finish_upload(
    separations: &Separations,
    session: &Arc<Session>,
    finish: &wire::Finish,
) -> Result<Arc<Session>, ApiError> {
    let sha256 = convert::sha256(&finish.sha256)?;
    session.finish_upload(finish.total_bytes, sha256.as_deref())?;
    if session.state() == State::Paused {
        separations.resume(session)?;
    }
    Ok(Arc::clone(session))
}
