//! A folder for unfinished work, beside the output, so that finished files need only be renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::error::CliError;

/// The folder; removed when dropped.
pub(super) struct Scratch {
    folder: TempDir,
    _lock: File,
}

const PREFIX: &str = ".stemwire-";
const LOCK: &str = "in-use";

impl Scratch {
    /// Makes the folder in `parent`, and removes those that killed runs have left there.
    pub(super) fn new(parent: &Path) -> Result<Scratch, CliError> {
        let failed = |error: std::io::Error| CliError::disk(parent, &error);
        fs::create_dir_all(parent).map_err(failed)?;
        remove_abandoned(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(failed)?;
        let lock = File::create(folder.path().join(LOCK)).map_err(failed)?;
        // Nobody else knows the folder yet.
        let _ = lock.try_lock();
        remove_on_interrupt(folder.path().to_owned());
        Ok(Scratch { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What a process ends with that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// Takes the folder along when the process is asked to end. Whoever asks wants it to end now, not when
/// the segment is done.
fn remove_on_interrupt(folder: PathBuf) {
    /// Threads may still be making files while others go.
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
        // Then the next run removes it.
        tracing::debug!(%error, "interrupts are not handled");
    }
}

fn remove_abandoned(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    let folders: Vec<PathBuf> = entries.filter(ours).map(|entry| entry.path()).collect();
    for folder in folders {
        let abandoned = File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            // What cannot be removed is tried again by the next run.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_runs_have_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let running = Scratch::new(parent.path()).unwrap();
        let killed = parent.path().join(".stemwire-killed");
        fs::create_dir(&killed).unwrap();
        File::create(killed.join(LOCK)).unwrap();
        fs::create_dir(parent.path().join("song")).unwrap();
        let second = Scratch::new(parent.path()).unwrap();
        assert!(running.path().exists() && second.path().exists());
        assert!(!killed.exists() && parent.path().join("song").exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
