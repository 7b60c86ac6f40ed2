//! Opens the stems that requests name.

use std::sync::Arc;

use super::status::ApiError;
use crate::audio::{Frames, StemName};
use crate::session::Session;
use crate::session::stem_reader::{SampleFormat, StemReader};

/// Opens a stem by the name in a request.
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
