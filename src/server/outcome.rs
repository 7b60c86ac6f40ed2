//! How a session's end looks to those who wait for it.

use super::status::ApiError;
use crate::separation::SeparationError;
use crate::session::{Session, SessionState};

/// Why it makes no sense to wait for a session that has not ended.
pub(super) fn forsaken(session: &Session) -> Option<ApiError> {
    if session.is_removed() {
        Some(ApiError::SessionDeleted)
    } else {
        session.is_shut_down().then(|| SeparationError::ShuttingDown.into())
    }
}

/// The error that a session's calls end with, where it has not ended well.
pub(super) fn end_error(session: &Session) -> Option<ApiError> {
    let manifest = session.manifest();
    match (manifest.state(), &manifest.failure) {
        (SessionState::Failed, Some(failure)) => Some(failure.clone().into()),
        (SessionState::Cancelled, _) => Some(ApiError::SessionCancelled),
        _ => None,
    }
}
