//! Converts wire types to domain types, checked once, and back.
//!
//! [`config`] converts requests; [`mod@session`], [`source`], [`engine`] and [`mod@cluster`] convert responses. This file has ids, hashes and
//! positions.

mod cluster;
mod config;
mod engine;
pub(super) mod paging;
mod session;
mod source;

pub(super) use cluster::cluster;
pub(super) use config::{attempt, check_stem_count, settings, stem_format};
pub(super) use engine::{engine_change, fault, model, sandbox};
pub(super) use session::{progress, session, session_by};

use super::status::ApiError;
use crate::audio::Frames;
use crate::model::Sha256Hash;
use crate::session::SessionId;

/// Parses a session id.
pub(super) fn session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|_| ApiError::SessionIdInvalid(text.chars().take(80).collect()))
}

/// Parses a SHA-256; empty bytes stand for none.
pub(super) fn sha256(bytes: &[u8]) -> Result<Option<String>, ApiError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let hash =
        <[u8; 32]>::try_from(bytes).map_err(|_| invalid("sha256", "it must have 32 bytes"))?;
    Ok(Some(Sha256Hash(hash).to_string()))
}

fn invalid(field: &'static str, problem: impl ToString) -> ApiError {
    ApiError::Invalid { field, problem: problem.to_string() }
}

fn hash(text: &str) -> Vec<u8> {
    text.parse::<Sha256Hash>().map(|hash| hash.0.to_vec()).unwrap_or_default()
}

/// A position in frames.
pub(super) fn frame(frame: u64) -> Frames {
    Frames(frame)
}
