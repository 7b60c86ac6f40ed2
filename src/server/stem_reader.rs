//! Opening stems that clients name.

use std::sync::Arc;

use super::status::ApiError;
use crate::audio::{Frames, StemName};
use crate::session::Session;
use crate::session::stem_reader::{SampleFormat, StemReader};

/// Opens a stem that a client names.
pub(super) fn open(
    session: &Arc<Session>,
    stem: &str,
    start: Frames,
    form: SampleFormat,
) -> Result<StemReader, ApiError> {
    let name: Result<StemName, _> = stem.parse();
    if name.is_err() {
        return Err(ApiError::StemNameInvalid(stem.chars().take(64).collect()));
    }
    Ok(StemReader::open(session, stem, start, form)?)
}
