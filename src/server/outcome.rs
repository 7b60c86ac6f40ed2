//! The outcome of a session, for calls that wait for it.

use super::status::ApiError;
use crate::separation::SeparationError;
use crate::session::{Session, SessionState};

/// The error of a call whose session will not end in this process: it was deleted, another server continues it, or the server stops.
pub(super) fn interruption(session: &Session) -> Option<ApiError> {
    if session.is_removed() && !session.is_fenced() {
        Some(ApiError::SessionDeleted)
    } else {
        (session.is_removed() || session.is_shut_down())
            .then(|| SeparationError::ShuttingDown.into())
    }
}

/// The error of calls on a session that failed or was cancelled; `None` otherwise.
pub(super) fn end_error(session: &Session) -> Option<ApiError> {
    let manifest = session.durable_manifest();
    match (manifest.state(), &manifest.failure) {
        (SessionState::Failed, Some(failure)) => Some(failure.clone().into()),
        (SessionState::Cancelled, _) => Some(ApiError::SessionCancelled),
        _ => None,
    }
}
