//! The disk space that stems need.

use std::path::Path;

use bytesize::ByteSize;

use crate::cli::error::CliError;
use crate::files;
use crate::proto::reason::ErrorReason;

/// Checks that the disk of the folder has space for so many more bytes, before they are computed.
///
/// # Errors
/// It has less.
pub(in crate::cli::separate) fn check_space(folder: &Path, bytes: u64) -> Result<(), CliError> {
    match files::free_bytes(folder) {
        Some(free) if free < bytes => {
            let (folder, free) = (folder.display(), ByteSize(free));
            let bytes = ByteSize(bytes);
            let cause = format!("the disk of {folder} has {free} free, and the stems need {bytes}");
            Err(CliError::of_reason(ErrorReason::DiskFull, cause))
        }
        _ => Ok(()),
    }
}
