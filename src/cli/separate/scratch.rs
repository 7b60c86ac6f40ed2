//! The scratch directory of a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::files::ScratchDir;

/// Creates the scratch directory in `parent`. It is also removed when the process is interrupted.
pub(super) fn scratch_dir(parent: &Path) -> Result<ScratchDir, CliError> {
    let scratch = ScratchDir::new(parent, "stemwire");
    let scratch = scratch.map_err(|error| CliError::disk(parent, &error))?;
    remove_on_interrupt(scratch.path().to_owned());
    Ok(scratch)
}

/// The exit code of a process that was interrupted, as in shells.
const INTERRUPTED: i32 = 130;

/// Removes the directory and ends the process on SIGINT, SIGTERM and SIGHUP: at once, not after the segment that is
/// being computed.
fn remove_on_interrupt(folder: PathBuf) {
    /// Other threads may still create files while these are removed.
    const TRIES: u32 = 20;
    let set = ctrlc::set_handler(move || {
        for _ in 0..TRIES {
            if fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
                break;
            }
        }
        std::process::exit(INTERRUPTED);
    });
    if let Err(error) = set {
        // The next run removes the directory.
        tracing::debug!(%error, "interrupts are not handled");
    }
}
