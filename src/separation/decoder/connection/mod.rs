//! The connection between a decoder and its parent.
//!
//! On Unix a decoder gets file descriptors and no path (`descriptors`). Elsewhere it opens the upload by its path
//! (`pipes`).

#[cfg(unix)]
mod descriptors;
#[cfg(not(unix))]
mod pipes;

use std::fs::File;

#[cfg(unix)]
use descriptors as platform;
#[cfg(not(unix))]
use pipes as platform;

pub(super) use platform::{EMPTY_FILE, FromChild, FromParent, ToChild, ToParent, start, start_on};

/// The child's end.
pub(super) struct ChildEnd {
    /// The upload, opened for reading.
    pub(super) upload: File,
    /// Where lengths of the upload arrive.
    pub(super) lengths: FromParent,
    /// Where messages go.
    pub(super) messages: ToParent,
}
