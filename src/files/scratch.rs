//! Scratch directories, beside the place that their contents are for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// A directory on the file system of its destination, so that complete files need only be renamed. Dropping it removes
/// it with everything left in it.
pub(crate) struct ScratchDir {
    folder: TempDir,
    /// Locked as long as the process runs that has the directory.
    _lock: File,
}

/// The file that is locked.
const LOCK: &str = "in-use";

/// Age from which a directory without a lock counts as abandoned: its process was killed when it had just created it. A
/// process that lives locks it within milliseconds.
const LOCKED_WITHIN: Duration = Duration::from_secs(3600);

impl ScratchDir {
    /// Creates the directory `.NAME-RANDOM` in `parent`, which is created if it is missing. Removes those of the same
    /// name that killed processes have left there.
    ///
    /// # Errors
    /// I/O errors of `parent`.
    pub(crate) fn new(parent: &Path, name: &str) -> io::Result<ScratchDir> {
        fs::create_dir_all(parent)?;
        ScratchDir::remove_abandoned(parent, name);
        let folder = tempfile::Builder::new().prefix(&prefix(name)).tempdir_in(parent)?;
        // Locked before it has its name: a directory whose lock is free counts as abandoned.
        let unnamed = folder.path().join("new");
        let lock = File::create(&unnamed)?;
        // A file system without locks: then nothing counts as abandoned.
        let _ = lock.try_lock();
        fs::rename(&unnamed, folder.path().join(LOCK))?;
        Ok(ScratchDir { folder, _lock: lock })
    }

    /// Removes the directories of this name that killed processes have left in `parent`.
    pub(crate) fn remove_abandoned(parent: &Path, name: &str) {
        let (prefix, entries) =
            (prefix(name), fs::read_dir(parent).into_iter().flatten().flatten());
        let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix);
        let folders: Vec<PathBuf> = entries.filter(ours).map(|entry| entry.path()).collect();
        for folder in folders {
            if is_abandoned(&folder) {
                // On failure the next run tries again.
                let _ = remove_contents(&folder).and_then(|()| fs::remove_dir_all(&folder));
            }
        }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // What is left is removed with the directory, or by the next run.
        let _ = remove_contents(self.folder.path());
    }
}

/// Removes everything but the file that is locked: if the process is killed meanwhile, the directory still counts as abandoned.
fn remove_contents(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.file_name() == LOCK => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Whether the process that created the directory has ended.
fn is_abandoned(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let changed = fs::metadata(folder).and_then(|metadata| metadata.modified());
            changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LOCKED_WITHIN))
        }
        Err(_) => false,
    }
}

fn prefix(name: &str) -> String {
    format!(".{name}-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_directories_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = || ScratchDir::new(parent.path(), "stemwire").unwrap();
        let running = scratch();
        let killed = parent.path().join(".stemwire-killed");
        fs::create_dir(&killed).unwrap();
        File::create(killed.join(LOCK)).unwrap();
        fs::create_dir(parent.path().join("song")).unwrap();
        let second = scratch();
        assert!(running.path().exists() && second.path().exists());
        assert!(!killed.exists() && parent.path().join("song").exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn the_lock_is_the_last_file_of_a_directory() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = ScratchDir::new(parent.path(), "stemwire").unwrap();
        fs::create_dir_all(scratch.path().join("sessions/song")).unwrap();
        File::create(scratch.path().join("a")).unwrap();
        File::create(scratch.path().join("sessions/song/upload")).unwrap();
        remove_contents(scratch.path()).unwrap();
        let left = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), [LOCK]);
    }

    #[test]
    fn a_directory_whose_process_was_killed_before_it_was_locked_is_removed_once_it_is_old() {
        let parent = tempfile::tempdir().unwrap();
        let killed = [".stemwire-old", ".stemwire-new"].map(|name| parent.path().join(name));
        for folder in &killed {
            fs::create_dir(folder).unwrap();
            File::create(folder.join("new")).unwrap();
        }
        let before = std::time::SystemTime::now() - 2 * LOCKED_WITHIN;
        File::open(&killed[0]).unwrap().set_modified(before).unwrap();
        ScratchDir::remove_abandoned(parent.path(), "stemwire");
        assert_eq!(killed.map(|folder| folder.exists()), [false, true]);
    }
}
