//! Finds sessions by the id in a request.

use std::sync::Arc;

use super::status::ApiError;
use super::{blocking, convert};
use crate::separation::Separations;
use crate::session::Session;

/// The session with this id. Reads its manifest if it is not in memory.
///
/// # Errors
/// `SessionIdInvalid`, `NotFound`.
pub(super) async fn find(
    separations: &Arc<Separations>,
    id: &str,
) -> Result<Arc<Session>, ApiError> {
    let id = convert::session_id(id)?;
    if let Some(session) = separations.store().find_loaded(id) {
        return Ok(session);
    }
    let separations = Arc::clone(separations);
    Ok(blocking::run(move || separations.find(id)).await.map_err(|_| ApiError::Defect)??)
}
