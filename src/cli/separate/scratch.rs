//! The scratch directory of a run, and what an interrupted run undoes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::error::CliError;
use crate::files::ScratchDir;

/// The name of scratch directories.
const NAME: &str = "stemwire";

/// Creates the scratch directory in `parent`. When the process is interrupted, `undo` is called and the directory is removed.
pub(in crate::cli) fn scratch_dir(
    parent: &Path,
    undo: impl Fn() + Send + Sync + 'static,
) -> Result<ScratchDir, CliError> {
    let scratch = ScratchDir::new(parent, NAME);
    let scratch = scratch.map_err(|error| CliError::disk(parent, &error))?;
    undo_on_interrupt(scratch.path().to_owned(), Arc::new(undo));
    Ok(scratch)
}

/// Removes what killed runs have left in `parent`, as a run that has nothing to compute.
pub(super) fn remove_abandoned(parent: &Path) {
    ScratchDir::remove_abandoned(parent, NAME);
}

/// The exit code of a process that was interrupted, as in shells.
const INTERRUPTED: i32 = 130;

/// Undoes the run and ends the process on SIGINT, SIGTERM and SIGHUP: at once, not after the segment that is being computed. A
/// second signal does not wait until it is undone.
fn undo_on_interrupt(folder: PathBuf, undo: Arc<dyn Fn() + Send + Sync>) {
    let is_undoing = AtomicBool::new(false);
    let set = ctrlc::set_handler(move || {
        if is_undoing.swap(true, Ordering::AcqRel) {
            end(&folder);
        }
        let (undo, folder_of_run) = (Arc::clone(&undo), folder.clone());
        // In a thread of its own, so that the next signal is handled.
        let undoing = std::thread::Builder::new().name("interrupt".into()).spawn(move || {
            undo();
            end(&folder_of_run);
        });
        if undoing.is_err() {
            end(&folder);
        }
    });
    if let Err(error) = set {
        // The next run removes the directory.
        tracing::debug!(%error, "interrupts are not handled");
    }
}

/// Removes the directory and ends the process.
fn end(folder: &Path) -> ! {
    /// Other threads may still create files while these are removed.
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            break;
        }
    }
    std::process::exit(INTERRUPTED);
}
