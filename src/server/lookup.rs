//! Finds the sessions and stems that requests name.

use std::sync::Arc;

use super::status::ApiError;
use super::{blocking, convert};
use crate::audio::{Frames, StemName};
use crate::separation::Separations;
use crate::session::Session;
use crate::session::stem_reader::{StemFormat, StemReader};

/// The session with this id. Reads its manifest if it is not in memory, and looks into the object store where
/// another gateway may have changed it.
///
/// # Errors
/// `SessionIdInvalid`, `NotFound`.
pub(super) async fn session(
    separations: &Arc<Separations>,
    id: &str,
) -> Result<Arc<Session>, ApiError> {
    let id = convert::session_id(id)?;
    if let Some(session) = separations.store().find_certain(id) {
        return Ok(session);
    }
    let separations = Arc::clone(separations);
    Ok(blocking::run(move || separations.find(id)).await.map_err(|_| ApiError::Defect)??)
}

/// Opens a stem of a session.
///
/// # Errors
/// `StemNameInvalid`; those of [`StemReader::open`].
pub(super) fn stem(
    session: &Arc<Session>,
    name: &str,
    start: Frames,
    form: StemFormat,
) -> Result<StemReader, ApiError> {
    let parsed: Result<StemName, _> = name.parse();
    if parsed.is_err() {
        return Err(ApiError::StemNameInvalid(name.chars().take(64).collect()));
    }
    Ok(StemReader::open(session, name, start, form)?)
}
